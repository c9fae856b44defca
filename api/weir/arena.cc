#include "weir/arena.h"

namespace weir {

void Arena::add_block(std::size_t bytes_min) {
  while (block_used_ < blocks_.size() && blocks_[block_used_].bytes < bytes_min) ++block_used_;
  if (block_used_ == blocks_.size()) {
    const std::size_t bytes = bytes_min > block_bytes_ ? bytes_min : block_bytes_;
    blocks_.push_back({std::unique_ptr<char[]>(new char[bytes]), bytes});
  }
  next_ = blocks_[block_used_].data.get();
  end_ = next_ + blocks_[block_used_].bytes;
  ++block_used_;
}

void Arena::reset() {
  constexpr std::size_t kBlocksKept = 64;
  if (blocks_.size() > kBlocksKept) blocks_.resize(kBlocksKept);
  block_used_ = 0;
  next_ = end_ = nullptr;
}

}  // namespace weir
