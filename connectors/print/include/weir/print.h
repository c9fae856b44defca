// A sink that prints each record as a line, for trying things out.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "weir/sink.h"

namespace weir {

namespace internal {

// Writes the whole text to the process' stdout, without lines of other threads in between.
void write_to_stdout(std::string_view text);

template <typename T>
void append_printed(ViewOf<T> value, std::string& out) {
  if constexpr (std::is_same_v<T, std::string>) {
    out.append(value);
  } else {
    static_assert(
        requires(std::ostream& stream) { stream << value; },
        "PrintSink<T> needs an operator<<(std::ostream&, const T&)");
    std::ostringstream text;
    text << value;
    out += text.str();
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
