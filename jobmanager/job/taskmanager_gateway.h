#pragma once

#include <string>

#include "proto/control.pb.h"

namespace weir {

// Sends to TaskManagers. What is sent to one that is gone is dropped: its loss is reported apart.
// Thread-safe.
class TaskManagerGateway {
 public:
  virtual ~TaskManagerGateway() = default;
  virtual void send(const std::string& taskmanager, pb::ToTaskManager message) = 0;
};

}  // namespace weir
