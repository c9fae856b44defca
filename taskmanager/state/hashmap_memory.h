#pragma once

#include <atomic>
#include <cstddef>
#include <limits>

#include "weir/state/backend.h"

namespace weir {

// The memory that all hashmap backends of a TaskManager share: what its process has besides network
// memory and a reserve. A state that doesn't fit fails its task with an error that says so, before
// the system ends the whole process without a word. Thread-safe.
class HashMapMemory {
 public:
  static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

  explicit HashMapMemory(std::size_t limit_bytes = kUnbounded) : limit_bytes_(limit_bytes) {}

  // Of a TaskManager of this size. A tenth, and 192 MiB at least (but no more than half), stays for
  // code, clients of Kafka, RPC and what user code makes.
  static std::size_t limit_of(std::size_t process_bytes, std::size_t network_bytes);

  // Replaces what one backend has. Throws Error if all together are over the limit.
  void replace(std::size_t before, std::size_t now);
  void give_back(std::size_t bytes) { used_bytes_ -= bytes; }

  std::size_t used_bytes() const { return used_bytes_; }

 private:
  const std::size_t limit_bytes_;
  std::atomic<std::size_t> used_bytes_{0};
};

}  // namespace weir
