#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/config.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/network/result_partition.h"

namespace weir {

// How records leave and reach the tasks of one TaskManager. A channel between two of its own tasks
// hands buffers over as they are; others go over TCP, by one connection for each TaskManager that
// is read from.
//
// Thread-safe. Outlives the partitions and gates it makes.
class NetworkEnvironment {
 public:
  struct Options {
    std::string host = "localhost";  // at which other TaskManagers reach this one
    std::string bind_host = "127.0.0.1";
    int port = 0;  // 0 takes a free one
    int64_t memory_bytes = int64_t{64} << 20;
    // After which another TaskManager is taken for gone, though the JobManager may reach it.
    std::chrono::milliseconds silence_timeout{50'000};

    static Options of(const Config& config);
  };

  // The error names the address that can't be listened on.
  static absl::StatusOr<std::unique_ptr<NetworkEnvironment>> start(Options options);
  NetworkEnvironment(const NetworkEnvironment&) = delete;
  NetworkEnvironment& operator=(const NetworkEnvironment&) = delete;
  ~NetworkEnvironment();

  // From here on readers find it. ResourceExhausted when the network memory is used up.
  absl::StatusOr<std::unique_ptr<ResultPartition>> create_partition(
      ResultPartition::Options options);
  // The producers may come later, until InputGate::start().
  absl::StatusOr<std::unique_ptr<InputGate>> create_gate(InputGate::Options options);

  // "host:port", for InputChannel::address of those who read from here.
  const std::string& address() const;
  int port() const;
  const BufferPool& pool() const;

 private:
  struct Parts;
  explicit NetworkEnvironment(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace weir
