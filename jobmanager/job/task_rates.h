// What a task does per second, from two of its reports. Pure.
//
// A task counts how long it was busy, idle and backpressured; the three make up all of its time, so
// the reports need no clock: the time between them is what the three have grown by.
#pragma once

#include <optional>

#include "proto/client.pb.h"
#include "proto/control.pb.h"

namespace weir {

// Nothing, if no time passed between the reports.
std::optional<pb::TaskRates> rates_between(const pb::TaskMetrics& earlier,
                                           const pb::TaskMetrics& later);

}  // namespace weir
