#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "taskmanager/task/state_storages.h"
#include "taskmanager/task/task_spec.h"
#include "weir/exchange.h"

namespace weir {

// Feeds a task the records that were in flight when the checkpoint that it begins with was taken,
// a channel after the other.
//
// Watermarks and idleness among them are left out: the channels of this attempt begin their event
// time anew, and what was in flight can't be late by what came after it. At another parallelism a
// keyed edge's receiver takes the records of the task's own key groups only.
//
// Confined to its task's thread. Receivers outlive it.
class RestoredRecords {
 public:
  struct Channel {
    RestoredChannel channel;
    RecordReceiver* receiver = nullptr;
  };

  explicit RestoredRecords(std::vector<Channel> channels) : channels_(std::move(channels)) {}

  bool done() const { return next_ == channels_.size() && rest_.empty(); }
  // Feeds at most so many. Throws Error when a file can't be read, and what the chain throws.
  // Returns their number.
  size_t feed(size_t records_max);

 private:
  void load(const RestoredChannel& channel);
  const std::string& file(const std::string& address);

  const std::vector<Channel> channels_;
  size_t next_ = 0;
  std::string bytes_;      // of the channel that is being fed
  std::string_view rest_;  // of bytes_: to be fed
  std::vector<ElementView> records_;
  StateStorages storages_;
  std::string file_address_;  // what was read last, for channels have parts of the same files
  std::string file_;
};

}  // namespace weir
