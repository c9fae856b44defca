#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "weir/keyed_stream.h"

namespace weir {

// Each word with how often it has come so far. For tests.
class Counting : public KeyedProcessFunction<std::string, std::string, std::string> {
 public:
  explicit Counting(std::string state = "count") : state_(std::move(state)) {}
  void open(OpenContext& context) override {
    count_ = context.get_state(ValueStateDescriptor<std::int64_t>(state_));
  }
  void process_element(std::string_view word, Context&, Collector<std::string>& out) override {
    const std::int64_t count = count_.value_or(0) + 1;
    count_.update(count);
    out.collect(std::string(word) + " " + std::to_string(count));
  }

 private:
  std::string state_;
  ValueState<std::int64_t> count_;
};

}  // namespace weir
