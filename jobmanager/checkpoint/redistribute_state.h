// What the subtasks of an operator get when a job comes back, at the same or another parallelism.
// Pure.
//
//   keyed state   to every subtask the handles that overlap its key groups; it reads only these
//   split lists   unchanged at the same parallelism, else all items in even, contiguous parts
//   union lists   all items to every subtask
//   writer state  to the subtask of the same number; sinks' coordinators get all of it besides
//   records in flight on a keyed edge: a channel's to every subtask that has key groups of those
//                 of its old consumer, and takes only its own; on other edges: whole channels, in
//                 turn
//
// Splits and committables aren't part of it: they belong to the coordinators.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/checkpoint.pb.h"
#include "proto/control.pb.h"

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

// An edge between tasks, as a checkpoint calls it.
struct RestoringEdge {
  std::string producer;  // uid
  int32_t output = 0;
  std::string consumer;  // uid
  bool by_key = false;
};

// What was in flight on the edge, for one subtask of its consumer: by channel, the consumer's part
// before the producer's.
std::vector<pb::RestoredChannel> redistribute_in_flight(const pb::CheckpointManifest& checkpoint,
                                                        const RestoringEdge& edge,
                                                        const RestoringSubtask& to);

}  // namespace weir
