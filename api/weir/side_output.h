// Streams that an operator makes besides its main one.
#pragma once

#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "weir/error.h"
#include "weir/output.h"

namespace weir {

// Names a side output of records of type T.
//
//   const OutputTag<std::string> kRejected("rejected");
//   auto accepted = stream.process(Checking());   // calls context.output(kRejected, text)
//   accepted.get_side_output(kRejected).sink_to(…);
template <typename T>
class OutputTag {
 public:
  explicit OutputTag(std::string id) : id_(std::move(id)) {}
  const std::string& id() const { return id_; }

 private:
  std::string id_;
};

// Where the side outputs of one running operator go. Confined to its task's thread.
class SideOutputs {
 public:
  struct Entry {
    std::string tag;
    std::string type;  // mangled
    OutputBase* output = nullptr;
  };

  SideOutputs() = default;
  explicit SideOutputs(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  // nullptr when nothing reads it: its records are dropped. Throws FatalError when it is read as a
  // stream of another type.
  template <typename T>
  Output<T>* find(const OutputTag<T>& tag) const {
    for (const Entry& entry : entries_) {
      if (entry.tag == tag.id()) return static_cast<Output<T>*>(checked(entry, typeid(T).name()));
    }
    return nullptr;
  }
  void watermark(Timestamp watermark) const {
    for (const Entry& entry : entries_) entry.output->watermark(watermark);
  }
  void idle(bool idle) const {
    for (const Entry& entry : entries_) entry.output->idle(idle);
  }

 private:
  static OutputBase* checked(const Entry& entry, const char* type) {
    if (entry.type == type) return entry.output;
    throw FatalError("the side output '" + entry.tag + "' is read as a stream of another type");
  }

  std::vector<Entry> entries_;
};

}  // namespace weir
