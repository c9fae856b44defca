#include "taskmanager/state/snapshot_writer.h"

#include <utility>

namespace weir {

void SnapshotWriter::put(int table, std::string_view key, std::string_view value) {
  add({.table = table, .key = key, .value = value});
}

void SnapshotWriter::erase(int table, std::string_view key) {
  add({.table = table, .erased = true, .key = key, .value = {}});
}

void SnapshotWriter::add(const StateEntry& entry) {
  buffer_.add(entry);
  if (buffer_.bytes() >= file_bytes_) hand_over();
}

bool SnapshotWriter::ready() {
  const MutexLock lock(mutex_);
  return waiting_ < kWaitingForSlices;
}

void SnapshotWriter::finish() {
  if (!buffer_.empty()) hand_over();
  thread_.post([self = shared_from_this()] { self->end(self->written_); });
}

void SnapshotWriter::abandon() {
  abandoned_ = true;
  thread_.post([self = shared_from_this()] { self->clean_up(); });
}

void SnapshotWriter::hand_over() {
  {
    const MutexLock lock(mutex_);
    while (waiting_ == kWaitingMax) taken_.wait(mutex_);
    ++waiting_;
  }
  thread_.post([self = shared_from_this(), entries = std::exchange(buffer_, {})]() mutable {
    self->write_next(std::move(entries));
  });
}

void SnapshotWriter::write_next(EntryBuffer entries) {
  if (written_.ok() && !abandoned_) written_ = write(std::move(entries));
  const MutexLock lock(mutex_);
  --waiting_;
  taken_.notify_all();
}

}  // namespace weir
