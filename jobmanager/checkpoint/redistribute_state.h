// What the subtasks of an operator get when a job comes back, at the same or another parallelism.
// Pure.
//
//   keyed state   to every subtask the handles that overlap its key groups; it reads only these
//   split lists   unchanged at the same parallelism, else all items in even, contiguous parts
//   union lists   all items to every subtask
//   writer state  to the subtask of the same number; sinks' coordinators get all of it besides
//
// Splits and committables aren't part of it: they belong to the coordinators.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proto/checkpoint.pb.h"

namespace weir {

struct RestoringSubtask {
  int32_t subtask = 0;
  int32_t parallelism = 1;
  int32_t max_parallelism = 1;
};

// Nothing, if the checkpoint holds nothing for it.
std::optional<pb::OperatorState> redistribute_state(const pb::CheckpointManifest& checkpoint,
                                                    const std::string& uid,
                                                    const RestoringSubtask& to);

}  // namespace weir
