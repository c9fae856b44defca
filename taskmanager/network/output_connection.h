#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "taskmanager/network/channel_queue.h"
#include "taskmanager/network/frame_socket.h"
#include "taskmanager/network/partition_registry.h"

namespace weir {

// The connection from one other TaskManager, by which its gates read what is produced here.
//
// Confined to the thread of its io_context, but for the ChannelQueue::Listener.
class OutputConnection final : public ChannelQueue::Listener,
                               public FrameSocket::Handler,
                               public std::enable_shared_from_this<OutputConnection> {
 public:
  struct Options {
    std::string own_address;
    std::chrono::milliseconds silence_timeout{};
    const PartitionRegistry* registry = nullptr;  // outlives it
    std::function<void(OutputConnection&)> on_closed;
  };

  OutputConnection(boost::asio::io_context& io_context, boost::asio::ip::tcp::socket socket,
                   Options options);

  void start();
  // As if the reader went away.
  void shut(const absl::Status& status);

  void on_waiting(int channel, bool priority) override;
  void on_failed(int channel, const absl::Status& status) override;

 private:
  struct Channel {
    std::shared_ptr<PartitionChannels> partition;
    int partition_channel = 0;
    uint32_t credits = 0;
    uint32_t last_number = 0;
    bool ready = false;  // in ready_
  };

  absl::StatusOr<char*> memory_for(const FrameHeader& header) override;
  absl::Status on_frame(const FrameHeader& header, std::string_view body) override;
  void fill(WriteBatch& batch) override;
  void on_closed(const absl::Status& status) override;

  absl::Status on_hello(std::string_view body);
  absl::Status on_open(const FrameHeader& header, std::string_view body);
  absl::Status open(const FrameHeader& header, const OpenFrame& request);
  void on_credit(const FrameHeader& header);
  void close_channel(uint32_t number);
  // What the producers said since the last time.
  void take_news();
  void mark_ready(uint32_t number);
  void fill_from(uint32_t number, WriteBatch& batch);

  boost::asio::io_context& io_context_;
  const Options options_;
  const std::shared_ptr<FrameSocket> socket_;
  std::string peer_;  // the address it gave, or, before, that it comes from
  bool greeted_ = false;
  std::map<uint32_t, Channel> channels_;
  uint32_t last_channel_ = 0;
  std::deque<uint32_t> ready_;  // channels that may have something to send, in turn

  Mutex mutex_;
  std::vector<uint32_t> waiting_ WEIR_GUARDED_BY(mutex_);
  std::vector<std::pair<uint32_t, absl::Status>> failed_ WEIR_GUARDED_BY(mutex_);
};

}  // namespace weir
