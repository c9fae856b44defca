#pragma once

#include <cstdint>
#include <span>

#include "weir/element.h"

namespace weir {

// What passed a source's reader or a sink's writer since it opened.
struct IoCounts {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

// Where a stream goes, whatever its type: event time passes here between the records. Every
// operator passes it on; a sink has no use for it.
class OutputBase {
 public:
  virtual ~OutputBase() = default;
  // No record with this timestamp or an earlier one is to come, but for late ones. Only rises.
  virtual void watermark(Timestamp /*watermark*/) {}
  // Idle: nothing is to come for a while, so nobody waits for this stream's watermark.
  virtual void idle(bool /*idle*/) {}
};

// Where records of type T go: the next operator of the chain. One call per record, on the task's
// thread; throws what the functions behind it throw.
template <typename T>
class Output : public OutputBase {
 public:
  virtual void collect(ViewOf<T> value, Timestamp timestamp) = 0;
  // Records that came together, in their order; the values live during the call. For an operator
  // that does better with many at once.
  virtual void collect_batch(std::span<const Record<T>> records) {
    for (const Record<T>& record : records) collect(record.value, record.timestamp);
  }
};

}  // namespace weir
