#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/check.h"
#include "common/status.h"
#include "taskmanager/network/frame.h"

namespace weir {

// For tests: a TaskManager's end of a data connection that says what it's told to say.
//
// Confined to one thread.
class RawPeer {
 public:
  struct Received {
    FrameHeader header;
    std::string body;
  };

  // Listens, for a reader's environment to connect to.
  RawPeer() : acceptor_(io_context_, {boost::asio::ip::address_v4::loopback(), 0}) {}

  std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  void accept() { acceptor_.accept(socket_); }
  // Another connection waits to be accepted.
  bool connected_again() {
    acceptor_.non_blocking(true);
    boost::asio::ip::tcp::socket socket(io_context_);
    boost::system::error_code error;
    acceptor_.accept(socket, error);
    return !error;
  }

  // Connects to a producer's environment.
  void connect(int port) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), static_cast<uint16_t>(port)});
  }

  void send(std::string_view bytes) {
    boost::asio::write(socket_, boost::asio::buffer(bytes.data(), bytes.size()));
  }
  void send(const FrameHeader& header, std::string_view body) { send(encode_frame(header, body)); }
  void greet() { send({.type = FrameType::kHello}, encode_hello({.address = "raw:1"})); }
  void open(uint32_t number, const PartitionId& partition, int channel, uint32_t credits) {
    send({.type = FrameType::kOpen, .channel = number, .number = credits},
         encode_open({partition, channel}));
  }

  // Nothing when the other end has closed.
  std::optional<Received> receive() {
    EncodedHeader bytes;
    boost::system::error_code error;
    boost::asio::read(socket_, boost::asio::buffer(bytes), error);
    if (error) return std::nullopt;
    const auto header = decode_header({bytes.data(), bytes.size()});
    WEIR_CHECK_OK(header);
    std::string body(header->body_bytes, 0);
    boost::asio::read(socket_, boost::asio::buffer(body), error);
    if (error) return std::nullopt;
    return Received{*header, std::move(body)};
  }
  // Up to the first one of the type; nothing when the other end closes before.
  std::optional<Received> receive(FrameType type) {
    while (std::optional<Received> received = receive()) {
      if (received->header.type == type) return received;
    }
    return std::nullopt;
  }

  void close() { socket_.close(); }

 private:
  boost::asio::io_context io_context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::socket socket_{io_context_};
};

}  // namespace weir
