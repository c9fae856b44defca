#include "taskmanager/task/watermark_valve.h"

#include <algorithm>

namespace weir {

WatermarkValve::Decision WatermarkValve::on_watermark(int channel, Timestamp watermark) {
  Timestamp& of_channel = channels_[channel].watermark;
  of_channel = std::max(of_channel, watermark);
  return decide();
}

WatermarkValve::Decision WatermarkValve::on_idle(int channel, bool idle) {
  channels_[channel].idle = idle;
  return decide();
}

WatermarkValve::Decision WatermarkValve::decide() {
  bool all_ended = true;
  bool any_active = false;
  std::optional<Timestamp> least;      // of active channels that have caught up
  Timestamp most_idle = kNoTimestamp;  // nobody waits for idle channels: the most of them counts
  for (const Channel& channel : channels_) {
    if (channel.ended()) continue;
    all_ended = false;
    if (channel.idle) {
      most_idle = std::max(most_idle, channel.watermark);
      continue;
    }
    any_active = true;
    if (channel.watermark < watermark_) continue;
    least = std::min(least.value_or(channel.watermark), channel.watermark);
  }
  const bool idle = !any_active && !all_ended;
  const Timestamp watermark =
      all_ended ? kMaxWatermark
                : std::max(watermark_, any_active ? least.value_or(watermark_) : most_idle);

  Decision decision;
  if (watermark != watermark_) decision.watermark = watermark_ = watermark;
  if (idle != idle_) decision.idle = idle_ = idle;
  return decision;
}

}  // namespace weir
