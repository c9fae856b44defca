#pragma once

namespace weir {

namespace pb {
class FromTaskManager;
}  // namespace pb

// Where tasks and coordinators report to the JobManager. Messages of one thread, and those whose
// sends are ordered by other means, arrive in that order; after the stream's loss they are dropped.
// Thread-safe.
class ControlSender {
 public:
  virtual ~ControlSender() = default;
  virtual void send(pb::FromTaskManager message) = 0;
};

}  // namespace weir
