#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace grpc {
class Channel;
}  // namespace grpc

namespace weir::rpc {

struct ChannelOptions {
  int max_message_bytes = 64 << 20;
  std::chrono::milliseconds keepalive_time{10'000};
  std::chrono::milliseconds keepalive_timeout{10'000};
  // Short, so that a restarted server is found again in well under a second. gRPC takes no less
  // than 100 ms for either.
  std::chrono::milliseconds initial_reconnect_backoff{100};
  std::chrono::milliseconds max_reconnect_backoff{300};
};

// A channel to `address` (host:port) with connections and backoff of its own; connects on first
// use.
std::shared_ptr<grpc::Channel> make_channel(const std::string& address,
                                            const ChannelOptions& options = {});

}  // namespace weir::rpc
