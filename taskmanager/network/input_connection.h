#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "taskmanager/network/channel_queue.h"
#include "taskmanager/network/frame_socket.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/network/remote_channels.h"

namespace weir {

// The connection to one other TaskManager, by which all gates here read what is produced there.
//
// Confined to the thread of its io_context, but for grant(). Ends by itself when the last channel
// is closed or has ended.
class InputConnection final : public CreditSink,
                              public FrameSocket::Handler,
                              public std::enable_shared_from_this<InputConnection> {
 public:
  struct Options {
    std::string address;                              // of the other one
    std::string own_address;                          // for its errors
    std::chrono::milliseconds silence_timeout{};      // also of the attempt to connect
    std::function<void(InputConnection&)> on_unused;  // open no more channels
    std::function<void(InputConnection&)> on_closed;
  };

  InputConnection(boost::asio::io_context& io_context, Options options);

  // Resolves the name and connects; channels may be opened already.
  void connect();
  void open(const InputChannel& from, int index, std::shared_ptr<RemoteChannels> gate,
            std::shared_ptr<ChannelQueue> queue);
  // All channels of the gate.
  void close(const RemoteChannels& gate);
  // Closes the connection, if it isn't closed; its channels fail.
  void shut(const absl::Status& status);

  const std::string& address() const { return options_.address; }

  void grant(uint32_t channel, int credits) override;

 private:
  struct Channel {
    int index = 0;  // of the gate's channels
    std::shared_ptr<RemoteChannels> gate;
    std::shared_ptr<ChannelQueue> queue;
    uint32_t last_number = 0;
  };
  using Endpoints = boost::asio::ip::tcp::resolver::results_type;

  void connect_to(const Endpoints& endpoints);
  void on_connected();

  absl::StatusOr<char*> memory_for(const FrameHeader& header) override;
  absl::Status on_frame(const FrameHeader& header, std::string_view body) override;
  void fill(WriteBatch& batch) override;
  void on_closed(const absl::Status& status) override;

  // Null if it was closed at this end; an error if there never was one, or a frame is missing.
  absl::StatusOr<Channel*> receive_on(const FrameHeader& header);
  absl::Status on_event(const FrameHeader& header, std::string_view body);
  absl::Status on_error(const FrameHeader& header, std::string_view body);
  void end_if_unused();

  boost::asio::io_context& io_context_;
  Options options_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::steady_timer connect_timer_;
  std::shared_ptr<FrameSocket> socket_;
  bool connected_ = false;
  bool unused_ = false;
  bool closed_ = false;
  std::map<uint32_t, Channel> channels_;
  uint32_t last_channel_ = 0;
  Buffer receiving_;  // whose body is being read

  Mutex mutex_;
  std::map<uint32_t, int> grants_ WEIR_GUARDED_BY(mutex_);  // not sent yet
};

}  // namespace weir
