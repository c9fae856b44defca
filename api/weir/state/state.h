// Keyed state, as functions use it: each handle shows what belongs to the key of the record being
// processed. Names and meanings are Flink's.
//
//   ValueState<std::int64_t> count_;
//   void open(…) { count_ = keyed_state.get_state(ValueStateDescriptor<std::int64_t>("count")); }
//   void process_element(…) { count_.update(count_.value_or(0) + 1); }
//
// Declare every state when the function opens, always under the same name and types: a snapshot's
// states are matched by name, and one with other types is refused.
//
// What a handle returns by pointer or reference is valid until the next record. Types need a Codec
// (codec.h) and a default constructor. Handles are small and copied freely; they belong to one
// operator's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "weir/element.h"
#include "weir/error.h"
#include "weir/state/content.h"

namespace weir {

template <typename T>
struct ValueStateDescriptor {
  std::string name;
  explicit ValueStateDescriptor(std::string state_name) : name(std::move(state_name)) {}
};

template <typename T>
struct ListStateDescriptor {
  std::string name;
  explicit ListStateDescriptor(std::string state_name) : name(std::move(state_name)) {}
};

template <typename UK, typename UV>
struct MapStateDescriptor {
  std::string name;
  explicit MapStateDescriptor(std::string state_name) : name(std::move(state_name)) {}
};

// Keeps reduce(kept, added) of what is added: associative.
template <typename T>
struct ReducingStateDescriptor {
  using Function = std::function<T(const T&, const T&)>;
  std::string name;
  Function function;
  ReducingStateDescriptor(std::string state_name, Function reduce)
      : name(std::move(state_name)), function(std::move(reduce)) {}
};

// F aggregates inputs in an accumulator:
//   struct Average {
//     using Input = double;  using Accumulator = std::pair<double, std::int64_t>;  using Result =
//     double; Accumulator create_accumulator() const; void add(double value, Accumulator&
//     accumulator) const; Result get_result(const Accumulator& accumulator) const;
//   };
template <typename F>
struct AggregatingStateDescriptor {
  std::string name;
  F function;
  AggregatingStateDescriptor(std::string state_name, F aggregate)
      : name(std::move(state_name)), function(std::move(aggregate)) {}
};

namespace internal {

template <typename Content>
class Handle {
 public:
  Handle() = default;
  explicit Handle(Cursor<Content>& cursor) : cursor_(&cursor) {}

  Cursor<Content>& cursor() const {
    if (cursor_ == nullptr) [[unlikely]] {
      throw Error("a state is used that isn't declared: get it from the context in open()");
    }
    return *cursor_;
  }

 private:
  Cursor<Content>* cursor_ = nullptr;
};

}  // namespace internal

template <typename T>
class ValueState {
 public:
  ValueState() = default;
  explicit ValueState(internal::Cursor<internal::ValueContent<T>>& cursor) : state_(cursor) {}

  // nullptr if the key has none.
  const T* value() const {
    const auto* content = state_.cursor().get();
    return content == nullptr ? nullptr : &content->value;
  }
  T value_or(T otherwise) const {
    const T* found = value();
    return found == nullptr ? std::move(otherwise) : *found;
  }
  void update(T value) {
    auto& cursor = state_.cursor();
    auto& content = cursor.modify();
    content.value = std::move(value);
    content.account(cursor.clock());
  }
  void clear() { state_.cursor().erase(); }

 private:
  internal::Handle<internal::ValueContent<T>> state_;
};

template <typename T>
class ListState {
 public:
  using Content = internal::ValueContent<std::vector<T>>;
  ListState() = default;
  explicit ListState(internal::Cursor<Content>& cursor) : state_(cursor) {}

  // Empty if the key has none.
  const std::vector<T>& get() const {
    static const std::vector<T> empty;
    const Content* content = state_.cursor().get();
    return content == nullptr ? empty : content->value;
  }
  void add(T element) {
    auto& cursor = state_.cursor();
    Content& content = cursor.modify();
    content.value.push_back(std::move(element));
    content.account(cursor.clock());
  }
  void add_all(const std::vector<T>& elements) {
    auto& cursor = state_.cursor();
    Content& content = cursor.modify();
    content.value.insert(content.value.end(), elements.begin(), elements.end());
    content.account(cursor.clock());
  }
  void update(std::vector<T> elements) {
    if (elements.empty()) return clear();
    auto& cursor = state_.cursor();
    Content& content = cursor.modify();
    content.value = std::move(elements);
    content.account(cursor.clock());
  }
  void clear() { state_.cursor().erase(); }

 private:
  internal::Handle<Content> state_;
};

// A key's map is in memory as a whole while the key is in use; snapshots and the backend see its
// entries one by one.
template <typename UK, typename UV>
class MapState {
 public:
  using Content = internal::MapContent<UK, UV>;
  MapState() = default;
  explicit MapState(internal::Cursor<Content>& cursor) : state_(cursor) {}

  // nullptr if the map doesn't have it.
  const UV* get(KeyView<UK> user_key) const {
    const Content* content = state_.cursor().get();
    return content == nullptr ? nullptr : content->find(user_key);
  }
  bool contains(KeyView<UK> user_key) const { return get(user_key) != nullptr; }
  void put(KeyView<UK> user_key, UV value) {
    auto& cursor = state_.cursor();
    cursor.modify().put(user_key, std::move(value), cursor.clock());
  }
  void remove(KeyView<UK> user_key) {
    auto& cursor = state_.cursor();
    if (!contains(user_key)) return;
    cursor.modify().remove(user_key, cursor.stored(), cursor.clock());
    if (is_empty()) cursor.erase();
  }
  bool is_empty() const { return size() == 0; }
  std::size_t size() const {
    const Content* content = state_.cursor().get();
    return content == nullptr ? 0 : content->size();
  }
  // f(user key, value) for each entry, in no order. f must not change this state.
  template <typename F>
  void for_each(F f) const {
    const Content* content = state_.cursor().get();
    if (content == nullptr) return;
    for (const auto& [user_key, cell] : content->cells()) {
      if (cell.present) f(user_key, cell.value);
    }
  }
  void clear() { state_.cursor().erase(); }

 private:
  internal::Handle<Content> state_;
};

template <typename T>
class ReducingState {
 public:
  using Content = internal::ValueContent<T>;
  using Function = typename ReducingStateDescriptor<T>::Function;
  ReducingState() = default;
  ReducingState(internal::Cursor<Content>& cursor, Function function)
      : state_(cursor), function_(std::move(function)) {}

  // nullptr if nothing was added.
  const T* get() const {
    const Content* content = state_.cursor().get();
    return content == nullptr ? nullptr : &content->value;
  }
  void add(T value) {
    auto& cursor = state_.cursor();
    if (const T* kept = get()) value = function_(*kept, value);
    Content& content = cursor.modify();
    content.value = std::move(value);
    content.account(cursor.clock());
  }
  void clear() { state_.cursor().erase(); }

 private:
  internal::Handle<Content> state_;
  Function function_;
};

template <typename F>
class AggregatingState {
 public:
  using Accumulator = typename F::Accumulator;
  using Content = internal::ValueContent<Accumulator>;
  AggregatingState() = default;
  AggregatingState(internal::Cursor<Content>& cursor, F function)
      : state_(cursor), function_(std::move(function)) {}

  bool is_empty() const { return state_.cursor().get() == nullptr; }
  // Of an empty accumulator if nothing was added.
  typename F::Result get() const {
    const Content* content = state_.cursor().get();
    return content == nullptr ? function_.get_result(function_.create_accumulator())
                              : function_.get_result(content->value);
  }
  void add(ViewOf<typename F::Input> value) {
    auto& cursor = state_.cursor();
    const bool first = cursor.get() == nullptr;
    Content& content = cursor.modify();
    if (first) content.value = function_.create_accumulator();
    function_.add(value, content.value);
    content.account(cursor.clock());
  }
  void clear() { state_.cursor().erase(); }

 private:
  internal::Handle<Content> state_;
  F function_{};
};

}  // namespace weir
