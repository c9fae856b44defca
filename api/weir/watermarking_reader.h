#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/source.h"
#include "weir/source_watermarks.h"
#include "weir/watermark_strategy.h"

namespace weir::internal {

// A source's reader with a WatermarkStrategy: gives its records timestamps, and makes watermarks
// after each poll.
template <typename T>
class WatermarkingReader final : public SourceReaderBase {
 public:
  WatermarkingReader(std::unique_ptr<SourceReader<T>> reader, const WatermarkStrategy<T>& strategy,
                     Output<T>& next)
      : reader_(std::move(reader)), output_(strategy, next), watermarks_(output_.watermarks()) {
    reader_->set_output(output_, watermarks_ ? &output_ : nullptr);
  }

  void open(SourceReaderContext& context) override { reader_->open(context); }
  void add_splits(std::span<const Split> splits) override {
    if (watermarks_) {
      if (splits.empty()) watermarks_->add_none();
      for (const Split& split : splits) watermarks_->add_split(split.id);
    }
    reader_->add_splits(splits);
  }
  void no_more_splits() override { reader_->no_more_splits(); }
  PollStatus poll(std::chrono::milliseconds wait) override {
    const PollStatus status = reader_->poll(wait);
    if (watermarks_) output_.end_poll();
    return status;
  }
  std::vector<Split> snapshot(std::int64_t checkpoint_id) override {
    return reader_->snapshot(checkpoint_id);
  }
  void notify_checkpoint_complete(std::int64_t checkpoint_id) override {
    reader_->notify_checkpoint_complete(checkpoint_id);
  }
  void on_coordinator_event(std::string_view event) override {
    reader_->on_coordinator_event(event);
  }
  IoCounts io_counts() const override { return reader_->io_counts(); }
  void wake_up() override { reader_->wake_up(); }
  void close() override { reader_->close(); }

 private:
  class TimedOutput final : public Output<T>, public SplitListener {
   public:
    TimedOutput(const WatermarkStrategy<T>& strategy, Output<T>& next)
        : assigner_(strategy.assigner()), next_(next) {
      if (strategy.watermarks()) watermarks_.emplace(*strategy.watermarks());
    }

    void collect(ViewOf<T> value, Timestamp timestamp) override {
      if (assigner_) timestamp = assigner_(value, timestamp);
      if (watermarks_ && watermarks_->observe(timestamp)) next_.idle(false);
      next_.collect(value, timestamp);
    }
    void begin_split(std::string_view id) override { watermarks_->begin_split(id); }
    void end_split(std::string_view id) override { watermarks_->end_split(id); }

    void end_poll() {
      const auto now = std::chrono::steady_clock::now().time_since_epoch();
      const SourceWatermarks::Decision decision =
          watermarks_->end_poll(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
      if (decision.watermark) next_.watermark(*decision.watermark);
      if (decision.becomes_idle) next_.idle(true);
    }
    SourceWatermarks* watermarks() { return watermarks_ ? &*watermarks_ : nullptr; }

   private:
    const typename WatermarkStrategy<T>::Assigner assigner_;
    std::optional<SourceWatermarks> watermarks_;
    Output<T>& next_;
  };

  std::unique_ptr<SourceReader<T>> reader_;
  TimedOutput output_;
  SourceWatermarks* const watermarks_;  // nullptr: none are made
};

}  // namespace weir::internal
