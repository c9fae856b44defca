#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace weir {

class Dispatcher;

// Flink's REST interface: its paths under / and /v1/, its field names and types. The dispatcher
// outlives it.
class RestServer {
 public:
  // `port` 0 takes a free one.
  static absl::StatusOr<std::unique_ptr<RestServer>> start(const std::string& host, int port,
                                                           Dispatcher& dispatcher);
  RestServer(const RestServer&) = delete;
  RestServer& operator=(const RestServer&) = delete;
  ~RestServer();  // stops listening; requests under way end

  int port() const;

 private:
  struct Parts;
  explicit RestServer(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace weir
