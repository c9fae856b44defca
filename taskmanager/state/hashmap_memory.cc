#include "taskmanager/state/hashmap_memory.h"

#include <algorithm>
#include <string>

#include "weir/error.h"

namespace weir {

std::size_t HashMapMemory::limit_of(std::size_t process_bytes, std::size_t network_bytes) {
  constexpr std::size_t kReserveMin = std::size_t{192} << 20;
  const std::size_t reserve =
      std::min(std::max(process_bytes / 10, kReserveMin), process_bytes / 2);
  return process_bytes - std::min(network_bytes + reserve, process_bytes);
}

void HashMapMemory::replace(std::size_t before, std::size_t now) {
  const std::size_t used = used_bytes_ += now - before;
  if (now <= before || used <= limit_bytes_) return;
  throw Error("keyed state takes " + std::to_string(used >> 20) +
              " MiB of this TaskManager, which has " + std::to_string(limit_bytes_ >> 20) +
              " MiB for the hashmap backend: set state.backend.type to rocksdb, or a larger "
              "taskmanager.memory.process.size, or a larger parallelism on more TaskManagers");
}

}  // namespace weir
