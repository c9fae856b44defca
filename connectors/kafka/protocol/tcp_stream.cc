#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/file_descriptor.h"
#include "common/status.h"
#include "connectors/kafka/protocol/byte_stream.h"

namespace weir::kafka::protocol {
namespace {

using std::chrono::steady_clock;

std::string error_text(int error) {
  return std::generic_category().message(error);
}

int poll_timeout_ms(Deadline deadline) {
  const auto rest =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(rest, 0, std::numeric_limits<int>::max()));
}

absl::Status wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const int ready = poll(&entry, 1, poll_timeout_ms(deadline));
    if (ready > 0) return absl::OkStatus();
    if (ready == 0) return absl::DeadlineExceededError("timed out");
    if (errno != EINTR) return absl::UnavailableError(error_text(errno));
  }
}

class TcpStream : public ByteStream {
 public:
  explicit TcpStream(FileDescriptor fd) : fd_(std::move(fd)) {}

  absl::Status send(std::string_view bytes, Deadline deadline) override {
    while (!bytes.empty()) {
      // Without a signal: a library must not end its process because a broker went away.
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (errno == EAGAIN) {
        WEIR_RETURN_IF_ERROR(wait_for(fd_.get(), POLLOUT, deadline));
      } else if (errno != EINTR) {
        return absl::UnavailableError(error_text(errno));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<size_t> receive(char* buffer, size_t size, Deadline deadline) override {
    for (;;) {
      const ssize_t received = recv(fd_.get(), buffer, size, 0);
      if (received > 0) return static_cast<size_t>(received);
      if (received == 0) return absl::UnavailableError("closed by the other side");
      if (errno == EAGAIN) {
        WEIR_RETURN_IF_ERROR(wait_for(fd_.get(), POLLIN, deadline));
      } else if (errno != EINTR) {
        return absl::UnavailableError(error_text(errno));
      }
    }
  }

  bool quiet() const override {
    pollfd entry{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    return poll(&entry, 1, 0) == 0;
  }

 private:
  FileDescriptor fd_;
};

absl::StatusOr<std::unique_ptr<ByteStream>> connect_address(const addrinfo& address,
                                                            Deadline deadline) {
  FileDescriptor fd(
      socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (fd.get() < 0) return absl::UnavailableError(error_text(errno));
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return absl::UnavailableError(error_text(errno));
    WEIR_RETURN_IF_ERROR(wait_for(fd.get(), POLLOUT, deadline));
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return absl::UnavailableError(error_text(error));
  }
  return std::make_unique<TcpStream>(std::move(fd));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> connect_tcp(const HostPort& server, Deadline deadline) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &hints, &found);
  if (error != 0) return absl::UnavailableError(gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);

  int left = 0;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) ++left;
  absl::Status failure;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next, --left) {
    // A silent address must not use up the time of those after it.
    const auto now = steady_clock::now();
    auto stream = connect_address(*address, now + (deadline - now) / left);
    if (stream.ok()) return stream;
    failure = stream.status();
  }
  return failure;
}

}  // namespace weir::kafka::protocol
