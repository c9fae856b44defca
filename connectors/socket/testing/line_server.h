// A TCP server for tests of what reads from one.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>
#include <string_view>

#include "common/file_descriptor.h"

namespace weir::socket::testing {

// Listens on a free port of 127.0.0.1. Throws std::runtime_error when something doesn't work.
class LineServer {
 public:
  LineServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_.get(), generic, size) != 0 || listen(listener_.get(), 4) != 0 ||
        getsockname(listener_.get(), generic, &size) != 0) {
      throw std::runtime_error("can't listen");
    }
    port_ = ntohs(address.sin_port);
  }

  int port() const { return port_; }
  // The next client's connection; waits a minute for it.
  FileDescriptor accept() {
    pollfd entry{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    if (poll(&entry, 1, 60'000) != 1) throw std::runtime_error("no client came within a minute");
    return FileDescriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  // Nobody can connect any more.
  void stop() { listener_.close(); }

 private:
  FileDescriptor listener_;
  int port_ = 0;
};

inline void send_text(const FileDescriptor& client, std::string_view text) {
  if (send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("the client doesn't take it");
  }
}

}  // namespace weir::socket::testing
