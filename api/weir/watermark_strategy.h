#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "weir/element.h"
#include "weir/error.h"
#include "weir/source_watermarks.h"

namespace weir {

// How timestamps come to the records of a source, and how their event time advances.
//
//   WatermarkStrategy<Order>::for_bounded_out_of_orderness(5s)
//       .with_timestamp_assigner([](const Order& order, Timestamp) { return order.time_ms; })
//       .with_idleness(1min)
//
// Watermarks are made after each batch: for each split of the source (of Kafka: each partition),
// and the least of them counts. So a split without records holds event time back, and with it every
// window, unless with_idleness() is set. A bounded source ends with kMaxWatermark.
template <typename T>
class WatermarkStrategy {
 public:
  using Assigner = std::function<Timestamp(ViewOf<T>, Timestamp)>;

  // Records keep the source's timestamps, and event time stands still.
  static WatermarkStrategy no_watermarks() { return {}; }
  // A record is late when a split's earlier record was more than `bound` younger.
  static WatermarkStrategy for_bounded_out_of_orderness(std::chrono::milliseconds bound) {
    if (bound.count() < 0) throw FatalError("the bound of a stream's disorder is negative");
    WatermarkStrategy strategy;
    strategy.watermarks_ = SourceWatermarks::Options{bound, std::nullopt};
    return strategy;
  }
  // Timestamps never fall within a split.
  static WatermarkStrategy for_monotonous_timestamps() {
    return for_bounded_out_of_orderness(std::chrono::milliseconds(0));
  }

  // The assigner gets the record and the source's timestamp (of Kafka: the record's).
  WatermarkStrategy with_timestamp_assigner(Assigner assigner) && {
    assigner_ = std::move(assigner);
    return std::move(*this);
  }
  // A split that brings nothing for so long isn't waited for until it does.
  WatermarkStrategy with_idleness(std::chrono::milliseconds timeout) && {
    if (!watermarks_) throw FatalError("with_idleness() is for a strategy that makes watermarks");
    if (timeout.count() < 1) throw FatalError("the idle timeout of a source isn't positive");
    watermarks_->idle_timeout = timeout;
    return std::move(*this);
  }

  const Assigner& assigner() const { return assigner_; }
  // None: no watermarks.
  const std::optional<SourceWatermarks::Options>& watermarks() const { return watermarks_; }

 private:
  Assigner assigner_;
  std::optional<SourceWatermarks::Options> watermarks_;
};

}  // namespace weir
