#pragma once

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

namespace weir {

// Memory for the text that functions make, freed all at once when the batch ends. A block is
// reused from batch to batch, so a running job allocates nothing here.
//
//   stream.map([](std::string_view v, Arena& arena) { return arena.concat({"processed_", v}); })
//
// Confined to its task's thread. Views into it are valid until reset(), which the runtime calls
// after each batch.
class Arena {
 public:
  explicit Arena(std::size_t block_bytes = 64 * 1024) : block_bytes_(block_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  char* allocate(std::size_t bytes) {
    if (bytes > static_cast<std::size_t>(end_ - next_)) add_block(bytes);
    char* result = next_;
    next_ += bytes;
    return result;
  }

  std::string_view concat(std::initializer_list<std::string_view> parts) {
    std::size_t bytes = 0;
    for (std::string_view part : parts) bytes += part.size();
    char* const begin = allocate(bytes);
    char* out = begin;
    for (std::string_view part : parts) {
      if (part.empty()) continue;  // may have no address
      std::memcpy(out, part.data(), part.size());
      out += part.size();
    }
    return {begin, bytes};
  }

  std::string_view copy(std::string_view text) { return concat({text}); }

  // Invalidates every view; keeps the first blocks for the next batch.
  void reset();

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t bytes;
  };

  void add_block(std::size_t bytes_min);

  const std::size_t block_bytes_;
  std::vector<Block> blocks_;
  std::size_t block_used_ = 0;  // blocks_[0 … block_used_) hold views of this batch
  char* next_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace weir
