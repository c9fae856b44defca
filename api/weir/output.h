#pragma once

#include <cstdint>

#include "weir/element.h"

namespace weir {

// What passed a source's reader or a sink's writer since it opened.
struct IoCounts {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

class OutputBase {
 public:
  virtual ~OutputBase() = default;
};

// Where records of type T go: the next operator of the chain. One call per record, on the task's
// thread; throws what the functions behind it throw.
template <typename T>
class Output : public OutputBase {
 public:
  virtual void collect(ViewOf<T> value, Timestamp timestamp) = 0;
};

}  // namespace weir
