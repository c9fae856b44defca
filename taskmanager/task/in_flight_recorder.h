#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/mailbox.h"
#include "proto/checkpoint.pb.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/task/checkpoint_trigger.h"
#include "taskmanager/task/state_storages.h"

namespace weir {

// Stores the records that belong to a task's unaligned checkpoints besides its state.
//
//   recorder.record(trigger, stream, buffer); …   // in the order of each stream
//   recorder.finish(trigger);                     // → on_stored, with nothing if nothing was
//
// Buffers are held, and with them their credit, until they are copied into a file of about 1 MiB
// that is being filled; while files are written, buffers wait and senders stand still. So a
// recorder takes no more memory than that, however long a barrier is on its way.
//
// Confined to its task's thread, but for on_stored, which is called on the thread that writes.
class InFlightRecorder {
 public:
  using Stream = pb::InFlightHandle::Stream;
  using Bytes = std::variant<Buffer, std::string>;
  using OnStored = std::function<void(CheckpointId, absl::StatusOr<pb::InFlightHandle>)>;

  // Files are called `name`-0, `name`-1 … in the checkpoint's folder.
  InFlightRecorder(std::string name, OnStored on_stored);
  InFlightRecorder(const InFlightRecorder&) = delete;
  InFlightRecorder& operator=(const InFlightRecorder&) = delete;
  ~InFlightRecorder();

  void record(const CheckpointTrigger& trigger, const Stream& stream, Bytes bytes);
  void finish(const CheckpointTrigger& trigger);
  // It was given up: nothing more is written, on_stored isn't called unless it's under way.
  void drop(CheckpointId checkpoint);

 private:
  class Recording;

  Recording& recording_of(const CheckpointTrigger& trigger);

  const std::string name_;
  const OnStored on_stored_;
  StateStorages storages_;
  std::map<CheckpointId, std::shared_ptr<Recording>> recordings_;
  Mailbox writer_;
};

}  // namespace weir
