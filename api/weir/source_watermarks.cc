#include "weir/source_watermarks.h"

#include <algorithm>

namespace weir {

SourceWatermarks::SourceWatermarks(Options options)
    : options_(options), splits_(1), current_(&splits_.front()) {}

SourceWatermarks::Split* SourceWatermarks::find(std::string_view id) {
  for (std::size_t i = 1; i < splits_.size(); ++i) {
    if (splits_[i].id == id) return &splits_[i];
  }
  return nullptr;
}

void SourceWatermarks::add_split(std::string_view id) {
  is_without_splits_ = false;
  Split* split = find(id);
  if (split == nullptr) split = &splits_.emplace_back();
  split->id = id;
  split->has_ended = false;
  split->last_active_ms = polled_ms_;
}

void SourceWatermarks::begin_split(std::string_view id) {
  if (current_->id == id && names_splits_) return;
  names_splits_ = true;
  if (find(id) == nullptr) add_split(id);
  current_ = find(id);
}

void SourceWatermarks::end_split(std::string_view id) {
  if (Split* const split = find(id)) split->has_ended = true;
}

// A long time between two polls is a pause: no split could have brought anything.
void SourceWatermarks::advance_clock(std::int64_t now_ms) {
  std::int64_t passed_ms = now_ms - last_poll_ms_.value_or(now_ms);
  if (options_.idle_timeout) {
    passed_ms = std::min<std::int64_t>(passed_ms, options_.idle_timeout->count() / 4 + 1);
  }
  polled_ms_ += passed_ms;
  last_poll_ms_ = now_ms;
}

bool SourceWatermarks::is_waited_for(const Split& split) const {
  return !options_.idle_timeout ||
         polled_ms_ - split.last_active_ms < options_.idle_timeout->count();
}

// Of the splits that are waited for; nothing while one of them has brought none.
std::optional<Timestamp> SourceWatermarks::least_timestamp(bool& all_idle) const {
  all_idle = true;
  Timestamp least = std::numeric_limits<Timestamp>::max();
  for (std::size_t i = names_splits_ ? 1 : 0; i < (names_splits_ ? splits_.size() : 1); ++i) {
    const Split& split = splits_[i];
    if (split.has_ended || !is_waited_for(split)) continue;
    all_idle = false;
    least = std::min(least, split.timestamp_max);
  }
  if (all_idle || least == kNothing) return std::nullopt;
  return least;
}

SourceWatermarks::Decision SourceWatermarks::end_poll(std::int64_t now_ms) {
  advance_clock(now_ms);
  for (Split& split : splits_) {
    if (split.is_active) split.last_active_ms = polled_ms_;
    split.is_active = false;
  }
  Decision decision;
  bool all_idle = false;
  if (const std::optional<Timestamp> least = least_timestamp(all_idle)) {
    const Timestamp watermark = *least - options_.out_of_orderness.count() - 1;
    if (watermark > watermark_) decision.watermark = watermark_ = watermark;
  }
  // That all splits have ended is the end of the stream, which the task tells.
  const bool idle = is_without_splits_ || (all_idle && options_.idle_timeout.has_value());
  decision.becomes_idle = idle && !idle_;
  if (idle) idle_ = true;
  return decision;
}

}  // namespace weir
