#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "weir/element.h"

namespace weir {

// How far the event time of one source subtask has come: behind the largest timestamp of each
// split by the bound of its disorder, and as far as the split that is furthest behind. A split that
// brings nothing for the idle timeout isn't waited for.
//
// The splits are those that the reader was given, if it says of which its records are; of one that
// doesn't, all records are of one split.
//
// Time for the idle timeout is what the reader was polled in: a pause of the whole task, as under
// backpressure, makes no split idle. Pure; times in milliseconds.
class SourceWatermarks {
 public:
  struct Options {
    std::chrono::milliseconds out_of_orderness{0};
    std::optional<std::chrono::milliseconds> idle_timeout;
  };
  // Something new to pass on.
  struct Decision {
    std::optional<Timestamp> watermark;
    bool becomes_idle = false;  // until observe() says otherwise
  };

  explicit SourceWatermarks(Options options);

  void add_split(std::string_view id);
  // The reader has no split: it is idle until one that it is given later brings a record.
  void add_none() { is_without_splits_ = true; }
  // The records observed from now on are of this split.
  void begin_split(std::string_view id);
  // It has ended: it isn't waited for.
  void end_split(std::string_view id);

  // True: nothing is idle any more, to be told before the record.
  bool observe(Timestamp timestamp) {
    current_->is_active = true;
    if (timestamp > current_->timestamp_max) current_->timestamp_max = timestamp;
    return std::exchange(idle_, false);
  }
  // After each poll, `now` of any steady clock.
  Decision end_poll(std::int64_t now_ms);

 private:
  static constexpr Timestamp kNothing = std::numeric_limits<Timestamp>::min();

  struct Split {
    std::string id;
    Timestamp timestamp_max = kNothing;
    bool is_active = true;  // since the last poll
    bool has_ended = false;
    std::int64_t last_active_ms = 0;
  };

  Split* find(std::string_view id);
  void advance_clock(std::int64_t now_ms);
  bool is_waited_for(const Split& split) const;
  std::optional<Timestamp> least_timestamp(bool& all_idle) const;

  const Options options_;
  std::deque<Split> splits_;  // of stable addresses; the first is of readers that name none
  Split* current_;
  bool names_splits_ = false;
  bool is_without_splits_ = false;
  std::optional<std::int64_t> last_poll_ms_;
  std::int64_t polled_ms_ = 0;
  Timestamp watermark_ = kNothing;
  bool idle_ = false;
};

}  // namespace weir
