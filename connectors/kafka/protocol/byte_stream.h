#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/kafka/protocol/client_config.h"
#include "connectors/kafka/protocol/transaction_admin.h"

namespace weir::kafka::protocol {

// A connected stream of bytes. Failures are Unavailable (closed, refused, reset) or
// DeadlineExceeded; after one the stream is of no more use. Not thread-safe.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  virtual absl::Status send(std::string_view bytes, Deadline deadline) = 0;

  // Waits for at least one byte; returns how many came.
  virtual absl::StatusOr<size_t> receive(char* buffer, size_t size, Deadline deadline) = 0;

  // False once the peer has closed the stream, or sent what nobody asked for.
  virtual bool quiet() const = 0;
};

// Tries each address of the host in turn. The name lookup itself knows no deadline but the
// resolver's own.
absl::StatusOr<std::unique_ptr<ByteStream>> connect_tcp(const HostPort& server, Deadline deadline);

// TLS 1.2 or later over `transport`. A certificate that can't be used or trusted, theirs or ours,
// is FailedPrecondition: trying again won't help.
absl::StatusOr<std::unique_ptr<ByteStream>> connect_tls(const TlsConfig& config,
                                                        const std::string& host,
                                                        std::unique_ptr<ByteStream> transport,
                                                        Deadline deadline);

}  // namespace weir::kafka::protocol
