#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace weir::rpc {

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: a free one
  int max_message_bytes = 64 << 20;
  // For hosts that vanish without closing the connection; a process that dies closes it.
  std::chrono::milliseconds keepalive_time{10'000};
  std::chrono::milliseconds keepalive_timeout{10'000};
};

// A listening gRPC server. Thread-safe. The services outlive it.
class Server {
 public:
  static absl::StatusOr<std::unique_ptr<Server>> start(const ServerOptions& options,
                                                       const std::vector<grpc::Service*>& services);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // shutdown(0 ms)

  int port() const { return port_; }
  const std::string& address() const { return address_; }  // host:port

  // Takes no new call, lets the running ones end until `grace` has passed, then cancels them;
  // returns when the last handler has returned. Idempotent.
  void shutdown(std::chrono::milliseconds grace);

 private:
  Server(std::unique_ptr<grpc::Server> server, std::string host, int port);

  const std::unique_ptr<grpc::Server> server_;
  const int port_;
  const std::string address_;
};

}  // namespace weir::rpc
