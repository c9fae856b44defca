// A sink that prints each record as a line, for trying things out.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/codec.h"
#include "weir/sink.h"

namespace weir {

namespace internal {

// Writes the whole text to the process' stdout, without lines of other threads in between.
void write_to_stdout(std::string_view text);

// Has fields to be printed: a struct with WEIR_FIELDS, a pair or a tuple.
template <typename T>
concept Fields = HasFields<const T> || requires { std::tuple_size<T>::value; };

template <typename T>
auto fields_of(const T& value) {
  if constexpr (HasFields<const T>) {
    return weir_fields(value);
  } else {
    return std::apply([](const auto&... field) { return std::tie(field...); }, value);
  }
}

// Text as it is, anything else by its operator<<, or else its fields: "(to,1)".
template <typename T>
void append_printed(ViewOf<T> value, std::string& out) {
  if constexpr (std::is_same_v<T, std::string>) {
    out.append(value);
  } else if constexpr (requires(std::ostream& stream) { stream << value; }) {
    std::ostringstream text;
    text << value;
    out += text.str();
  } else {
    static_assert(Fields<T>,
                  "to be printed a type needs an operator<<(std::ostream&, const T&) or "
                  "WEIR_FIELDS(...)");
    out += '(';
    std::apply(
        [&out](const auto&... field) {
          const char* separator = "";
          ((out += std::exchange(separator, ","),
            append_printed<std::remove_cvref_t<decltype(field)>>(field, out)),
           ...);
        },
        fields_of(value));
    out += ')';
  }
}

template <typename T>
class PrintWriter final : public SinkWriter<T> {
 public:
  void open(RuntimeContext& context) override {
    if (context.parallelism() > 1) prefix_ = std::to_string(context.subtask() + 1) + "> ";
  }
  void collect(ViewOf<T> value, Timestamp /*timestamp*/) override {
    lines_ += prefix_;
    append_printed<T>(value, lines_);
    lines_ += '\n';
    ++counts_.records;
  }
  void end_batch() override {
    write_to_stdout(lines_);
    lines_.clear();
  }
  std::vector<Committable> prepare_commit(std::int64_t /*checkpoint_id*/) override {
    end_batch();
    return {};
  }
  IoCounts io_counts() const override { return counts_; }

 private:
  std::string prefix_;
  std::string lines_;  // of the batch
  IoCounts counts_;
};

}  // namespace internal

// Prints to the stdout of the process that runs the task: with `weir run -t local` the terminal, in
// a cluster the TaskManager's. Lines begin with "<subtask>> " (from 1) when there are several
// subtasks. Records since the last checkpoint are printed again after a restart.
template <typename T>
class PrintSink : public Sink<T> {
 public:
  std::unique_ptr<SinkWriter<T>> create_writer() const override {
    return std::make_unique<internal::PrintWriter<T>>();
  }
};

}  // namespace weir
