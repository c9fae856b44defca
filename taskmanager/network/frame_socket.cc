#include "taskmanager/network/frame_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/write.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir {
namespace {

absl::Status status_of(const boost::system::error_code& error) {
  return absl::UnavailableError(error == boost::asio::error::eof ? "it closed the connection"
                                                                 : error.message());
}

// Where nothing is sent, the kernels ask each other whether they are still there: twice at least
// before the peer counts as gone.
void probe(int socket, std::chrono::milliseconds silence_timeout) {
  const auto interval_s = std::clamp<int64_t>(silence_timeout.count() / 4000, 1, 3600);
  const auto set = [socket](int level, int name, auto value) {
    const int number = static_cast<int>(value);
    ::setsockopt(socket, level, name, &number, sizeof(number));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, interval_s);
  set(IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
}

// For how long nothing has come from the peer, not even its kernel's acknowledgement.
std::chrono::milliseconds silence(int socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  return std::chrono::milliseconds(std::min(info.tcpi_last_data_recv, info.tcpi_last_ack_recv));
}

}  // namespace

std::vector<boost::asio::const_buffer> WriteBatch::bytes() const {
  std::vector<boost::asio::const_buffer> bytes;
  bytes.reserve(2 * frames_.size());
  for (const Frame& frame : frames_) {
    if (frame.body) {
      bytes.emplace_back(frame.header.data(), frame.header.size());
      bytes.emplace_back(frame.body.bytes().data(), frame.body.size());
    } else {
      bytes.emplace_back(frame.whole.data(), frame.whole.size());
    }
  }
  return bytes;
}

void FrameSocket::start(std::shared_ptr<Handler> handler) {
  handler_ = std::move(handler);
  boost::system::error_code ignored;  // of a socket that has gone: the read says so
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  probe(socket_.native_handle(), silence_timeout_);
  watch();
  read();
  wake();
}

void FrameSocket::send(std::string frame) {
  frames_.push_back(std::move(frame));
  wake();
}

void FrameSocket::wake() {
  if (!writing_ && handler_) write();
}

void FrameSocket::close(const absl::Status& status) {
  if (!handler_) return;
  const std::shared_ptr<Handler> handler = std::exchange(handler_, nullptr);
  silence_timer_.cancel();
  shut();
  handler->on_closed(status);
}

void FrameSocket::refuse(const absl::Status& status) {
  if (!handler_) return;
  if (!writing_) {
    const std::string frame = encode_error_frame(kNoChannel, status);
    boost::system::error_code ignored;  // what doesn't fit now isn't said
    socket_.non_blocking(true, ignored);
    socket_.write_some(boost::asio::buffer(frame), ignored);
  }
  close(status);
}

void FrameSocket::close_after_writes() {
  closes_after_writes_ = true;
  wake();
}

void FrameSocket::shut() {
  boost::system::error_code ignored;
  socket_.shutdown(boost::asio::socket_base::shutdown_both, ignored);
  socket_.close(ignored);
}

absl::StatusOr<char*> FrameSocket::memory_for(const FrameHeader& header) {
  return handler_ ? handler_->memory_for(header) : nullptr;
}

absl::Status FrameSocket::on_frame(const FrameHeader& header, std::string_view body) {
  return handler_ ? handler_->on_frame(header, body) : absl::OkStatus();
}

// TCP_USER_TIMEOUT would do less: it ends connections that make progress by retransmissions only,
// as on a slow link that loses packets.
void FrameSocket::watch() {
  silence_timer_.expires_after(silence_timeout_ / 4);
  silence_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || !self->handler_) return;
    const auto silent = silence(self->socket_.native_handle());
    if (silent < self->silence_timeout_) return self->watch();
    self->close(absl::UnavailableError(absl::StrCat("it was silent for ", silent.count(), " ms")));
  });
}

void FrameSocket::read() {
  const auto space = reader_.space();
  const std::array<boost::asio::mutable_buffer, 2> buffers{
      boost::asio::buffer(space[0].data(), space[0].size()),
      boost::asio::buffer(space[1].data(), space[1].size())};
  socket_.async_read_some(
      buffers, [self = shared_from_this()](const boost::system::error_code& error, size_t bytes) {
        if (!self->handler_) return;
        if (error) return self->close(status_of(error));
        if (const absl::Status status = self->reader_.advance(bytes); !status.ok()) {
          return self->refuse(status);
        }
        if (self->handler_) self->read();
      });
}

void FrameSocket::write() {
  batch_.clear();
  for (std::string& frame : std::exchange(frames_, {})) batch_.add(std::move(frame));
  if (!closes_after_writes_) handler_->fill(batch_);
  if (batch_.empty()) {
    if (closes_after_writes_) close(absl::OkStatus());
    return;
  }
  writing_ = true;
  boost::asio::async_write(
      socket_, batch_.bytes(),
      [self = shared_from_this()](const boost::system::error_code& error, size_t) {
        self->writing_ = false;
        if (!self->handler_) return self->batch_.clear();
        if (error) return self->close(status_of(error));
        self->write();
      });
}

}  // namespace weir
