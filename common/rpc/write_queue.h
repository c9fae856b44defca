#pragma once

#include <cstddef>
#include <deque>
#include <utility>

namespace weir::rpc {

// Messages that wait for the one write that gRPC allows at a time. Not thread-safe.
template <typename Out>
class WriteQueue {
 public:
  explicit WriteQueue(size_t capacity) : capacity_(capacity) {}

  // False when full.
  bool push(Out message) {
    if (messages_.size() >= capacity_) return false;
    messages_.push_back(std::move(message));
    return true;
  }

  // The message to write now; null while a write is in flight or when nothing waits. It stays valid
  // until written().
  const Out* start_next() {
    if (writing_ || messages_.empty()) return nullptr;
    writing_ = true;
    return &messages_.front();
  }

  void written() {
    writing_ = false;
    messages_.pop_front();
  }

  bool writing() const { return writing_; }
  bool empty() const { return messages_.empty(); }

  // All but the one in flight.
  void drop_waiting() { messages_.resize(writing_ ? 1 : 0); }

 private:
  const size_t capacity_;
  std::deque<Out> messages_;
  bool writing_ = false;
};

}  // namespace weir::rpc
