#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "weir/element.h"
#include "weir/key_group.h"

namespace weir {

// How far event time had come for each key group of an operator when its state was last snapshot:
// after a restore, at whatever parallelism, what has fired isn't fired again, although watermarks
// begin anew.
//
// The snapshot is a union list: one item for each stretch of key groups with the same watermark.
class KeyGroupWatermarks {
 public:
  static constexpr Timestamp kNone = std::numeric_limits<Timestamp>::min();

  // Throws Error for an item that makes no sense.
  void restore(std::span<const std::string> items, KeyGroupRange range);
  // `watermark` is the operator's own, and has come to all key groups.
  std::vector<std::string> snapshot(KeyGroupRange range, Timestamp watermark) const;

  // Of the last snapshot.
  Timestamp of(int key_group) const {
    const std::size_t index = static_cast<std::size_t>(key_group - range_.first);
    return index < watermarks_.size() ? watermarks_[index] : kNone;
  }
  // The largest: from then on the operator's own watermark is all that counts.
  Timestamp max() const { return max_; }

 private:
  KeyGroupRange range_;
  std::vector<Timestamp> watermarks_;  // by key group, from range_.first on
  Timestamp max_ = kNone;
};

}  // namespace weir
