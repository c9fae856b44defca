#pragma once

#include "weir/state/keyed_state.h"

namespace weir::fuzz {

// One state of each kind, as an operator declares them.
class CanonicalState {
 public:
  explicit CanonicalState(StateBackend& backend)
      : state_(backend, {0, kMaxParallelism - 1}, kMaxParallelism) {
    value = state_.get_state(ValueStateDescriptor<std::int64_t>("value"));
    list = state_.get_list_state(ListStateDescriptor<std::string>("list"));
    map = state_.get_map_state(MapStateDescriptor<std::string, bool>("map"));
  }

  KeyedState<std::string>& state() { return state_; }

  static constexpr int kMaxParallelism = 16;

  ValueState<std::int64_t> value;
  ListState<std::string> list;
  MapState<std::string, bool> map;

 private:
  KeyedState<std::string> state_;
};

}  // namespace weir::fuzz
