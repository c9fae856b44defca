#include "connectors/socket/tcp_client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

#include "weir/error.h"

namespace weir::socket {
namespace {

std::string error_text(int error) {
  return std::generic_category().message(error);
}

int poll_timeout_ms(Deadline deadline) {
  const auto rest =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(
      std::clamp<std::int64_t>(rest.count(), 0, std::numeric_limits<int>::max()));
}

}  // namespace

WakeUp::WakeUp() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!event_.is_open()) throw Error("can't make an eventfd: " + error_text(errno));
}

void WakeUp::wake_up() {
  const std::uint64_t one = 1;
  // It can only fail by a full counter, which wakes as well.
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof(one));
}

bool WakeUp::wait(int fd, short events, Deadline deadline) {
  std::array<pollfd, 2> entries = {{{event_.get(), POLLIN, 0}, {fd, events, 0}}};
  int ready = 0;
  do {
    ready = poll(entries.data(), entries.size(), poll_timeout_ms(deadline));
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) throw Error("can't wait for a socket: " + error_text(errno));
  if (entries[0].revents == 0) return entries[1].revents != 0;
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = read(event_.get(), &count, sizeof(count));
  return false;
}

TcpClient::TcpClient(std::string host, int port, WakeUp& wake_up)
    : host_(std::move(host)), port_(port), wake_up_(wake_up) {}

TcpClient::Connected TcpClient::connect(Deadline deadline) {
  if (addresses_.empty()) addresses_ = look_up();
  while (!addresses_.empty()) {
    if (socket_.is_open() || begin_connect()) {
      if (!wake_up_.wait(socket_.get(), POLLOUT, deadline)) return Connected::kNotYet;
      int error = 0;
      socklen_t size = sizeof(error);
      getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0) {
        addresses_.clear();
        is_connected_ = true;
        return Connected::kYes;
      }
      failure_ = error_text(error);
    }
    socket_.close();
    addresses_.erase(addresses_.begin());
  }
  throw Error("can't connect: " + failure_);
}

bool TcpClient::begin_connect() {
  const Address& address = addresses_.front();
  socket_ = FileDescriptor(
      ::socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (socket_.is_open() &&
      (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(address.bytes.data()),
                 static_cast<socklen_t>(address.bytes.size())) == 0 ||
       errno == EINPROGRESS)) {
    return true;
  }
  failure_ = error_text(errno);
  return false;
}

std::optional<std::size_t> TcpClient::receive(std::span<char> buffer, Deadline deadline) {
  for (;;) {
    const ssize_t received = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (received >= 0) return static_cast<std::size_t>(received);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw Error("the connection broke: " + error_text(errno));
    if (!wake_up_.wait(socket_.get(), POLLIN, deadline)) return std::nullopt;
  }
}

void TcpClient::close() {
  socket_.close();
  addresses_.clear();
  is_connected_ = false;
}

std::vector<TcpClient::Address> TcpClient::look_up() const {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host_.c_str(), std::to_string(port_).c_str(), &hints, &found);
  if (error != 0) throw Error(std::string("can't look the host up: ") + gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    addresses.push_back(
        {address->ai_family,
         std::string(reinterpret_cast<const char*>(address->ai_addr), address->ai_addrlen)});
  }
  return addresses;
}

}  // namespace weir::socket
