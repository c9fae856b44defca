#include "jobmanager/rest/rest_server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <future>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "jobmanager/rest/rest_api.h"

namespace weir {

namespace {

constexpr char kContentType[] = "application/json; charset=UTF-8";
constexpr size_t kThreads = 8;
constexpr size_t kRequestBytesMax = 1 << 20;
// A connection holds a thread for as long.
constexpr int kKeepAliveSeconds = 1;

rest::Request to_request(const httplib::Request& from) {
  rest::Request request;
  request.method = from.method == "HEAD" ? "GET" : from.method;
  request.path = from.path;
  for (const auto& [name, value] : from.params) request.query[name] = value;
  request.body = from.body;
  return request;
}

}  // namespace

struct RestServer::Parts {
  Parts(ClusterView& cluster, std::map<std::string, std::string> configuration)
      : api(cluster, std::move(configuration), SystemClock::instance()) {}

  rest::RestApi api;
  httplib::Server server;
  std::thread thread;
  int port = 0;
};

RestServer::RestServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<RestServer>> RestServer::start(
    const std::string& host, int port, ClusterView& cluster,
    std::map<std::string, std::string> configuration) {
  auto parts = std::make_unique<Parts>(cluster, std::move(configuration));
  httplib::Server& server = parts->server;
  const auto answer = [&api = parts->api](const httplib::Request& from, httplib::Response& to) {
    const rest::Response response = api.handle(to_request(from));
    to.status = response.status;
    to.set_content(response.body, kContentType);
  };
  // httplib would wait for the body of a POST or PATCH that announces none, as curl sends them.
  server.set_pre_routing_handler([answer](const httplib::Request& from, httplib::Response& to) {
    if (from.has_header("Content-Length") || from.has_header("Transfer-Encoding")) {
      return httplib::Server::HandlerResponse::Unhandled;
    }
    answer(from, to);
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Get(".*", answer);
  server.Post(".*", answer);
  server.Patch(".*", answer);
  server.Put(".*", answer);
  server.set_error_handler([](const httplib::Request& from, httplib::Response& to) {
    if (!to.body.empty()) return;
    to.set_content(
        rest::error_response(to.status,
                             absl::StrCat("Bad request received: ", from.method, " ", from.path))
            .body,
        kContentType);
  });
  server.set_exception_handler(
      [](const httplib::Request&, httplib::Response& to, std::exception_ptr) {
        to.status = 500;
        to.set_content(rest::error_response(500, "Internal server error.").body, kContentType);
      });
  // Its default would let two servers share a port.
  server.set_socket_options([](socket_t socket) {
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
  server.set_payload_max_length(kRequestBytesMax);
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_tcp_nodelay(true);
  parts->port =
      port == 0 ? server.bind_to_any_port(host) : (server.bind_to_port(host, port) ? port : -1);
  if (parts->port <= 0) {
    return absl::UnavailableError(absl::StrCat(
        "can't listen on ", host, ":", port,
        " (rest.port): the port is taken, or rest.bind-address isn't one of this host; rest.port: "
        "0 takes a free one"));
  }
  // Made when it is about to accept: before that, stop() would have no effect.
  const auto accepting = std::make_shared<std::promise<void>>();
  server.new_task_queue = [accepting] {
    accepting->set_value();
    return new httplib::ThreadPool(kThreads);
  };
  parts->thread = std::thread([&server] { server.listen_after_bind(); });
  accepting->get_future().wait();
  return std::unique_ptr<RestServer>(new RestServer(std::move(parts)));
}

RestServer::~RestServer() {
  parts_->server.stop();
  parts_->thread.join();
}

int RestServer::port() const {
  return parts_->port;
}

}  // namespace weir
