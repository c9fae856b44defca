#include "common/rpc/server.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace weir::rpc {

absl::StatusOr<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                                      const std::vector<grpc::Service*>& services) {
  grpc::ServerBuilder builder;
  int bound_port = 0;
  const std::string wanted = absl::StrCat(options.host, ":", options.port);
  builder.AddListeningPort(wanted, grpc::InsecureServerCredentials(), &bound_port);
  // Or two servers would share the port, and clients would meet either of them.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(options.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             static_cast<int>(options.keepalive_time.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             static_cast<int>(options.keepalive_timeout.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A client may ping as often as it likes: its keepalive is its own configuration.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || bound_port == 0) {
    return absl::UnavailableError(absl::StrCat("can't listen on ", wanted,
                                               ": the port is taken or the address isn't one of "
                                               "this host; choose another port, 0 for any"));
  }
  return std::unique_ptr<Server>(new Server(std::move(server), options.host, bound_port));
}

Server::Server(std::unique_ptr<grpc::Server> server, std::string host, int port)
    : server_(std::move(server)), port_(port), address_(absl::StrCat(host, ":", port)) {}

Server::~Server() {
  shutdown(std::chrono::milliseconds(0));
}

void Server::shutdown(std::chrono::milliseconds grace) {
  server_->Shutdown(std::chrono::system_clock::now() + grace);
  server_->Wait();
}

}  // namespace weir::rpc
