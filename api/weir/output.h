#pragma once

#include "weir/element.h"

namespace weir {

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
