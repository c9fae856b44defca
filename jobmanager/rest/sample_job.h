#pragma once

#include <string>
#include <vector>

#include "jobmanager/rest/cluster_view.h"

namespace weir::rest {

inline constexpr char kSampleJob[] = "e229156be96b164d75d734e101290604";
inline constexpr char kSampleVertex[] = "f362c87ffabe89c8a91fa7d0a523ba6c";
inline constexpr int64_t kSampleNowMs = 1795216625948;

// A running job of one vertex with two subtasks on two TaskManagers, with a completed checkpoint, a
// completed savepoint and a failed checkpoint. For tests only.
pb::JobDetails sample_job();
std::vector<TaskManagerInfo> sample_taskmanagers();

}  // namespace weir::rest
