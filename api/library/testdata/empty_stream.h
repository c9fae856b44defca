// A source and a sink that do nothing, for job libraries that are only loaded.
#pragma once

#include <memory>
#include <string>

#include "weir/sink.h"
#include "weir/source.h"

namespace weir {

class EmptySource : public Source<std::string> {
 public:
  std::unique_ptr<SourceReader<std::string>> create_reader() const override { return nullptr; }
  std::unique_ptr<SourceCoordinator> create_coordinator() const override { return nullptr; }
};

class EmptySink : public Sink<std::string> {
 public:
  std::unique_ptr<SinkWriter<std::string>> create_writer() const override { return nullptr; }
};

}  // namespace weir
