#pragma once

#include <optional>
#include <vector>

#include "weir/element.h"

namespace weir {

// Event time of a task with several input channels: the least watermark of its active channels.
//
// An idle channel holds nobody back. When it becomes active again with a watermark behind the
// task's, it counts once it has caught up: what the task has said only rises. A channel that has
// ended (kMaxWatermark) counts no more; when all have, the task's watermark is kMaxWatermark.
//
// Pure: no thread, clock or I/O. Not thread-safe. (As Flink's StatusWatermarkValve.)
class WatermarkValve {
 public:
  // What changes for the task. It hears that it is active before a watermark, that it is idle
  // after it.
  struct Decision {
    std::optional<Timestamp> watermark;
    std::optional<bool> idle;
  };

  explicit WatermarkValve(int channels) : channels_(channels) {}

  Decision on_watermark(int channel, Timestamp watermark);
  Decision on_idle(int channel, bool idle);

  // All channels have.
  bool ended() const { return watermark_ == kMaxWatermark; }

 private:
  struct Channel {
    Timestamp watermark = kNoTimestamp;
    bool idle = false;

    bool ended() const { return watermark == kMaxWatermark; }
  };

  Decision decide();

  std::vector<Channel> channels_;
  Timestamp watermark_ = kNoTimestamp;
  bool idle_ = false;
};

}  // namespace weir
