#pragma once

#include <cstdint>
#include <vector>

#include "jobmanager/rest/json.h"

namespace weir::rest {

// As Flink shows a figure over many checkpoints: min max avg p50 p90 p95 p99 p999. Percentiles of
// nothing are the string "NaN".
Json distribution(std::vector<int64_t> values);

// As Flink shows a figure over many subtasks: min max avg sum median p25 p75 p95, whole numbers.
Json aggregate(std::vector<int64_t> values);

}  // namespace weir::rest
