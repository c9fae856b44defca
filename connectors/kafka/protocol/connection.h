#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/protocol/byte_stream.h"
#include "connectors/kafka/protocol/client_config.h"
#include "connectors/kafka/protocol/messages.h"
#include "connectors/kafka/protocol/transaction_admin.h"
#include "connectors/kafka/protocol/wire.h"

namespace weir::kafka::protocol {

// One authenticated connection to one broker, one request under way at a time. A call that fails
// makes it unusable: a late answer must not be taken for the next one's. Not thread-safe.
class Connection {
 public:
  // Connects, asks which versions the broker speaks, authenticates. Beside Unavailable and
  // DeadlineExceeded: FailedPrecondition (TLS) and Unauthenticated (SASL), which no retry mends.
  static absl::StatusOr<std::unique_ptr<Connection>> open(const ClientConfig& config,
                                                          const HostPort& server,
                                                          Deadline deadline);

  // Sends the request once. Unimplemented if the broker doesn't speak its version; Internal if the
  // answer can't be read; after any other failure the request may or may not have had its effect.
  template <typename Request>
  absl::StatusOr<typename Request::Response> call(const Request& request, Deadline deadline) {
    Writer out = begin(Request::kApi);
    request.encode(out);
    auto answer = exchange(Request::kApi, out, deadline);
    if (!answer.ok()) return answer.status();
    Reader in(*answer);
    skip_header(Request::kApi, in);
    auto response = Request::Response::decode(in);
    const absl::Status read = in.finish();
    if (!read.ok()) return unreadable(Request::kApi, read);
    return response;
  }

  // False after a failed call, when the broker has closed the connection, and shortly before the
  // authentication runs out.
  bool usable() const;

 private:
  Connection(const ClientConfig& config, const HostPort& server,
             std::unique_ptr<ByteStream> stream);

  absl::Status ask_versions(Deadline deadline);
  absl::Status authenticate(const SaslConfig& sasl, Deadline deadline);
  absl::Status authenticate_plain(const SaslConfig& sasl, Deadline deadline);
  absl::Status authenticate_scram(const SaslConfig& sasl, Deadline deadline);
  absl::StatusOr<std::string> authenticate_step(std::string bytes, Deadline deadline);

  Writer begin(const Api& api);
  absl::StatusOr<std::string> exchange(const Api& api, const Writer& request, Deadline deadline);
  absl::StatusOr<std::string> receive_frame(Deadline deadline);
  absl::Status check_version(const Api& api) const;
  static void skip_header(const Api& api, Reader& in);
  absl::Status unreadable(const Api& api, const absl::Status& why);
  absl::Status in_context(const Api& api, const absl::Status& status) const;

  const std::string client_id_;
  const std::chrono::milliseconds socket_timeout_;
  const HostPort server_;
  std::unique_ptr<ByteStream> stream_;
  std::vector<ApiVersionsResponse::Range> versions_;
  int32_t correlation_id_ = 0;
  bool failed_ = false;
  Deadline session_end_ = Deadline::max();
};

}  // namespace weir::kafka::protocol
