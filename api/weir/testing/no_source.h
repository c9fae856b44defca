// The beginning of a stream for tests that look at its graph, or run its operators by themselves.
#pragma once

#include <memory>

#include "weir/environment.h"
#include "weir/source.h"

namespace weir::testing {

// Can be described, but not run.
template <typename T>
class NoSource : public Source<T> {
 public:
  std::unique_ptr<SourceReader<T>> create_reader() const override { return nullptr; }
  std::unique_ptr<SourceCoordinator> create_coordinator() const override { return nullptr; }
};

template <typename T>
DataStream<T> stream_of(StreamExecutionEnvironment& env) {
  return env.from_source(NoSource<T>(), WatermarkStrategy<T>::no_watermarks(), "in");
}

}  // namespace weir::testing
