#pragma once

// A bidirectional stream as its users see it, without gRPC's headers: the sending end and the
// callbacks. StreamClient (stream_client.h) and StreamServer (stream_server.h) implement it.

#include <cstddef>
#include <functional>

#include "absl/status/status.h"

namespace weir::rpc {

// The callbacks run on gRPC's threads, one at a time and in order, and only enqueue somewhere.
template <typename In>
struct StreamHandlers {
  std::function<void(In message)> on_message;
  // Called exactly once, as the last one: OK after close() from either side. A peer that dies is
  // noticed within milliseconds, through its closed connection.
  std::function<void(absl::Status status)> on_closed;
};

struct StreamOptions {
  size_t max_queued_messages = 10'000;  // waiting to be sent; more fails the stream
};

// Thread-safe. Held by shared_ptr; dropping it neither closes nor cancels the stream.
template <typename Out>
class Stream {
 public:
  virtual ~Stream() = default;

  // Queues the message. Unavailable when the stream is closing or closed. A queue that is full
  // fails the stream as cancel(ResourceExhausted) does: the peer isn't reading.
  virtual absl::Status send(Out message) = 0;
  // Sends what is queued, then ends the stream with OK.
  virtual void close() = 0;
  // Ends the stream now, drops what is queued; on_closed gets `reason`.
  virtual void cancel(absl::Status reason) = 0;
};

}  // namespace weir::rpc
