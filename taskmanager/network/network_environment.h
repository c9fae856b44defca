#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/input_gate.h"
#include "taskmanager/network/result_partition.h"

namespace weir {

// How records leave and reach the tasks of one TaskManager. A channel between two of its own tasks
// hands buffers over as they are.
//
// Thread-safe. Outlives the partitions and gates it makes.
class NetworkEnvironment {
 public:
  struct Options {
    std::string address = "localhost:0";  // for InputChannel::address
    int64_t memory_bytes = int64_t{64} << 20;
  };

  static absl::StatusOr<std::unique_ptr<NetworkEnvironment>> start(Options options);
  NetworkEnvironment(const NetworkEnvironment&) = delete;
  NetworkEnvironment& operator=(const NetworkEnvironment&) = delete;
  ~NetworkEnvironment();

  // From here on readers find it. ResourceExhausted when the network memory is used up.
  absl::StatusOr<std::unique_ptr<ResultPartition>> create_partition(
      ResultPartition::Options options);
  // The producers may come later, until InputGate::start().
  absl::StatusOr<std::unique_ptr<InputGate>> create_gate(InputGate::Options options);

  // For InputChannel::address of those who read from here.
  const std::string& address() const;
  const BufferPool& pool() const;

 private:
  class Parts;
  explicit NetworkEnvironment(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace weir
