#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace weir {

class ClusterView;

// Flink's REST interface over HTTP: its paths under / and /v1/, its field names and types. The
// cluster's view outlives it.
class RestServer {
 public:
  // Returns when it answers. `port` 0 takes a free one. `configuration`: the JobManager's, as it
  // may be shown.
  static absl::StatusOr<std::unique_ptr<RestServer>> start(
      const std::string& host, int port, ClusterView& cluster,
      std::map<std::string, std::string> configuration);
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
