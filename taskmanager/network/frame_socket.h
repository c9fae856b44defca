#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/frame.h"
#include "taskmanager/network/frame_reader.h"

namespace weir {

// What one write takes to the socket.
class WriteBatch {
 public:
  // So many frames that the kernel is called seldom, and so few that what comes later isn't late.
  bool full() const { return frames_.size() >= 16; }
  bool empty() const { return frames_.empty(); }
  void clear() { frames_.clear(); }

  void add(std::string frame) { frames_.push_back({{}, std::move(frame), {}}); }
  void add(const FrameHeader& header, Buffer body) {
    frames_.push_back({encode_header(header), {}, std::move(body)});
  }
  // Valid until the next add or clear.
  std::vector<boost::asio::const_buffer> bytes() const;

 private:
  struct Frame {
    EncodedHeader header;
    std::string whole;  // if it isn't a buffer's
    Buffer body;
  };
  std::vector<Frame> frames_;
};

// One TCP connection that frames go over, both ways. A peer whose kernel too is silent for
// `silence_timeout`, and for 2 s at least, is taken for gone: its host is off, or the link is cut.
//
// Confined to the thread of its io_context. Lives, by the operations in flight, until it is closed;
// the handler outlives that.
class FrameSocket final : public std::enable_shared_from_this<FrameSocket>,
                          private FrameReader::Handler {
 public:
  class Handler : public FrameReader::Handler {
   public:
    // The socket takes bytes: adds what waits, until the batch is full.
    virtual void fill(WriteBatch& batch) = 0;
    // Once; nothing else is called afterwards.
    virtual void on_closed(const absl::Status& status) = 0;
  };

  FrameSocket(boost::asio::ip::tcp::socket socket, std::chrono::milliseconds silence_timeout)
      : socket_(std::move(socket)),
        silence_timeout_(std::max<std::chrono::milliseconds>(silence_timeout, kSilenceTimeoutMin)),
        silence_timer_(socket_.get_executor()) {}

  // The handler is kept until the socket is closed.
  void start(std::shared_ptr<Handler> handler);
  // Before all that fill() adds.
  void send(std::string frame);
  // fill() has something to add.
  void wake();
  void close(const absl::Status& status);
  // Tells the peer why, if it still listens, and closes.
  void refuse(const absl::Status& status);
  // Closes once what was sent has left; fill() isn't called any more.
  void close_after_writes();

  boost::asio::ip::tcp::socket& socket() { return socket_; }

 private:
  absl::StatusOr<char*> memory_for(const FrameHeader& header) override;
  absl::Status on_frame(const FrameHeader& header, std::string_view body) override;
  // The kernel's probes go out once a second at most.
  static constexpr std::chrono::seconds kSilenceTimeoutMin{2};

  void read();
  void watch();
  void write();
  void shut();

  boost::asio::ip::tcp::socket socket_;
  const std::chrono::milliseconds silence_timeout_;
  boost::asio::steady_timer silence_timer_;
  FrameReader reader_{*this};
  std::shared_ptr<Handler> handler_;  // null once closed
  std::vector<std::string> frames_;
  WriteBatch batch_;  // what is being written
  bool writing_ = false;
  bool closes_after_writes_ = false;
};

}  // namespace weir
