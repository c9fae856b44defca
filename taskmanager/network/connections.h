#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "taskmanager/network/channel_queue.h"
#include "taskmanager/network/input_connection.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/network/output_connection.h"
#include "taskmanager/network/partition_registry.h"
#include "taskmanager/network/remote_channels.h"

namespace weir {

// The data port of a TaskManager and all its data connections: one to each TaskManager that it
// reads from, one from each that reads here. One thread serves them.
//
// Thread-safe.
class Connections {
 public:
  // `registry` outlives it. Peers that are silent for `silence_timeout` are taken for gone.
  Connections(const PartitionRegistry& registry, std::chrono::milliseconds silence_timeout)
      : registry_(registry), silence_timeout_(silence_timeout) {}
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  ~Connections();  // ends all connections, and joins

  // Once. `host` is the one that others reach this TaskManager at.
  absl::Status listen(const std::string& bind_host, int port, const std::string& host);

  // "host:port"; of the port that was taken, if it was 0.
  const std::string& address() const { return address_; }
  int port() const { return port_; }

  // What comes on the channel is pushed to `queue`.
  void open(const InputChannel& from, int index, std::shared_ptr<RemoteChannels> gate,
            std::shared_ptr<ChannelQueue> queue);
  void close(std::shared_ptr<RemoteChannels> gate);

 private:
  using Tcp = boost::asio::ip::tcp;

  void accept();
  void on_accepted(Tcp::socket socket);
  std::shared_ptr<InputConnection> add_input(const std::string& address);
  void shut_all();

  const PartitionRegistry& registry_;
  const std::chrono::milliseconds silence_timeout_;
  std::string address_;
  int port_ = 0;

  boost::asio::io_context io_context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_context_.get_executor()};
  Tcp::acceptor acceptor_{io_context_};
  boost::asio::steady_timer accept_again_{io_context_};
  // The I/O thread only.
  bool shut_ = false;
  std::map<std::string, std::shared_ptr<InputConnection>> inputs_;              // by address
  std::map<InputConnection*, std::shared_ptr<InputConnection>> unused_inputs_;  // about to close
  std::map<OutputConnection*, std::shared_ptr<OutputConnection>> outputs_;

  std::thread thread_;
};

}  // namespace weir
