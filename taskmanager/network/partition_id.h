#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "common/ids.h"

namespace weir {

// What one task of one attempt sends on one of its output edges.
struct PartitionId {
  JobId job = {};
  Attempt attempt = {};
  int32_t vertex = 0;  // that produces
  int32_t edge = 0;
  int32_t subtask = 0;  // that produces

  friend auto operator<=>(const PartitionId&, const PartitionId&) = default;
};

// "edge 2 of vertex 0 subtask 3, job … attempt 1": for errors.
std::string to_string(const PartitionId& id);

}  // namespace weir
