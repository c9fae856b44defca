#pragma once

#include <string>
#include <string_view>

#include "taskmanager/network/buffer_pool.h"
#include "weir/error.h"
#include "weir/exchange.h"

namespace weir {

// Puts an element that was divided over several buffers of a channel together. One per channel.
//
//   std::string_view elements = assembler.add(buffer);   // then read_element_header, …
//   (exchange.h)
//
// It takes no more memory than the largest element and a buffer, whatever comes. Not thread-safe.
class ElementAssembler {
 public:
  // The whole elements that are there now, one after the other: those of the buffer, without a copy
  // and valid as long as it is; or, when a divided element is complete, those and what follows it,
  // valid until the next call. Empty while one isn't complete. Throws Error when it has all that
  // its header says, and yet goes on.
  std::string_view add(const Buffer& buffer) {
    if (delivered_) pieces_.clear();
    delivered_ = !buffer.continued();
    if (pieces_.empty() && delivered_) return buffer.bytes();
    pieces_.append(buffer.bytes());
    if (!delivered_) refuse_if_complete();
    return delivered_ ? std::string_view(pieces_) : std::string_view();
  }

  // What came of an element that isn't complete: belongs to an unaligned checkpoint.
  std::string_view incomplete() const { return delivered_ ? std::string_view() : pieces_; }

 private:
  // A divided element begins its first buffer.
  void refuse_if_complete() const {
    if (pieces_.size() < kElementHeaderBytes) return;
    const std::size_t element_bytes =
        kElementHeaderBytes + read_element_header(pieces_.data()).payload_bytes;
    if (pieces_.size() < element_bytes) return;
    throw Error("received " + std::to_string(pieces_.size()) + " bytes of an element that has " +
                std::to_string(element_bytes) +
                ", and it goes on: the other TaskManager is of another version");
  }

  std::string pieces_;
  bool delivered_ = true;  // what pieces_ holds
};

}  // namespace weir
