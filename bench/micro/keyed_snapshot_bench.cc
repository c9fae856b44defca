// What checkpoints and restores of keyed state take, in one subtask: how long its thread stands
// still, how long the whole is, how many bytes are written.
//
//   bench-keyed-snapshot --benchmark_filter=…      in $TMPDIR, which should be on a disk
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/storage/checkpoint_storage.h"
#include "taskmanager/state/keyed_state_backends.h"
#include "weir/state/keyed_state.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kMaxParallelism = 128;
constexpr std::size_t kManagedBytes = 2ull << 30;
constexpr std::size_t kBatch = 256;
constexpr std::size_t kSlice = 1000;  // as the task's

// What the task's thread does between looking for something else to do.
class Pauses {
 public:
  template <typename F>
  auto time(F f) {
    const Clock::time_point begin = Clock::now();
    struct Add {
      ~Add() { pauses.times_ms_.push_back(Milliseconds(Clock::now() - begin).count()); }
      Pauses& pauses;
      Clock::time_point begin;
    } add{*this, begin};
    return f();
  }
  double at(double share) {
    std::sort(times_ms_.begin(), times_ms_.end());
    return times_ms_[static_cast<std::size_t>(share * static_cast<double>(times_ms_.size() - 1))];
  }

 private:
  std::vector<double> times_ms_;
};

// No two alike, and nothing to compress.
std::string random_bytes(std::size_t size) {
  static std::uint64_t random = 1;
  std::string bytes(size, 0);
  for (std::size_t at = 0; at < size; at += sizeof(random)) {
    random = mix_bits(random);
    std::memcpy(bytes.data() + at, &random, std::min(sizeof(random), size - at));
  }
  return bytes;
}

struct Storage {
  Storage() { std::filesystem::remove_all(folder); }
  ~Storage() { std::filesystem::remove_all(folder); }
  const std::string folder = std::filesystem::temp_directory_path() / "weir-snapshot-benchmark";
  const std::unique_ptr<storage::CheckpointStorage> storage =
      storage::open_checkpoint_storage(folder + "/checkpoints").value();
  KeyedStateBackends backends{folder + "/local", {.managed_bytes = kManagedBytes}};
};

// One subtask with a value, and a timer if wanted, for each of its keys.
class Subtask {
 public:
  Subtask(Storage& storage, const char* type, KeyGroupRange range = {0, kMaxParallelism - 1})
      : storage_(storage),
        name_("count-" + std::to_string(range.first)),
        backend_(storage.backends.open(type, name_, 1).value()),
        state_(backend_->state_backend(), range, kMaxParallelism),
        value_(state_.get_state(ValueStateDescriptor<std::string>("value"))),
        timers_(state_.timers("timers")) {}

  KeyedStateBackend& backend() { return *backend_; }
  KeyedState<std::int64_t>& state() { return state_; }

  void write(std::int64_t key, std::size_t value_bytes, bool timer = false) {
    state_.set_current_key(key);
    value_.update(random_bytes(value_bytes));
    if (timer) timers_.register_timer(key);
  }

  // With batch() between the slices.
  template <typename F>
  void checkpoint(Pauses& sync, Pauses& slices, F batch) {
    const std::int64_t id = ++checkpoint_id_;
    std::promise<absl::StatusOr<pb::KeyedStateHandle>> done;
    const std::string folder = "job/chk-" + std::to_string(id);
    sync.time([&] {
      backend_->begin_snapshot(state_,
                               {.storage = storage_.storage.get(),
                                .folder = folder,
                                .shared_folder = "job/shared",
                                .name = name_,
                                .checkpoint_id = id},
                               [&](auto handle) { done.set_value(std::move(handle)); });
    });
    for (bool open = true; open;) {
      batch();
      open = slices.time([&] { return !state_.snapshot_ready() || !state_.snapshot_some(kSlice); });
    }
    previous_ = std::exchange(handle_, done.get_future().get().value());
    backend_->checkpoint_completed(id);
  }
  // What the JobManager does with files that no checkpoint names any more.
  void delete_previous() {
    std::set<std::string> named;
    for (const auto& file : handle_.files()) named.insert(file.path());
    for (const auto& file : previous_.files()) {
      if (!named.contains(file.path())) storage_.storage->delete_file(file.path()).IgnoreError();
    }
  }
  const pb::KeyedStateHandle& handle() const { return handle_; }
  double stored_bytes() const {  // of the last checkpoint
    double bytes = 0;
    for (const auto& file : handle_.files()) bytes += static_cast<double>(file.size_bytes());
    return bytes;
  }
  // Of them, what no earlier one had.
  double new_bytes() const {
    double bytes = 0;
    const std::string id = "-" + std::to_string(checkpoint_id_) + "-";
    for (const auto& file : handle_.files()) {
      const bool is_new = !file.shared() || file.path().find(id) != std::string::npos;
      bytes += is_new ? static_cast<double>(file.size_bytes()) : 0;
    }
    return bytes;
  }

 private:
  Storage& storage_;
  const std::string name_;
  std::unique_ptr<KeyedStateBackend> backend_;
  KeyedState<std::int64_t> state_;
  ValueState<std::string> value_;
  TimerQueue<std::int64_t>& timers_;
  std::int64_t checkpoint_id_ = 0;
  pb::KeyedStateHandle handle_, previous_;
};

// A subtask that is filled, and has a checkpoint: kept from one benchmark to the next of the same
// state.
struct Filled {
  Filled(const char* type, std::int64_t keys, std::size_t value_bytes)
      : type(type), keys(keys), value_bytes(value_bytes) {
    Pauses ignored;
    for (std::int64_t key = 0; key < keys; key += kBatch) {
      batches.time([&] {
        const std::int64_t end = std::min<std::int64_t>(keys, key + kBatch);
        for (std::int64_t next = key; next < end; ++next) subtask.write(next, value_bytes);
      });
    }
    subtask.checkpoint(ignored, ignored, [] {});
  }
  void write_some(std::size_t writes) {
    for (std::size_t i = 0; i < writes; ++i) {
      random = mix_bits(random);
      subtask.write(static_cast<std::int64_t>(random % static_cast<std::uint64_t>(keys)),
                    value_bytes);
    }
  }

  const std::string type;
  const std::int64_t keys;
  const std::size_t value_bytes;
  Storage storage;
  Subtask subtask{storage, type.c_str()};
  Pauses batches;
  std::uint64_t random = 1;
};

std::unique_ptr<Filled> last;

Filled& filled(const char* type, std::int64_t keys, std::size_t value_bytes) {
  if (last == nullptr || last->type != type || last->keys != keys ||
      last->value_bytes != value_bytes) {
    last.reset();
    last = std::make_unique<Filled>(type, keys, value_bytes);
  }
  return *last;
}

// Args: keys, bytes of a value, writes of random keys between checkpoints.
void BM_Checkpoint(benchmark::State& run, const char* type) {
  Filled& state = filled(type, run.range(0), static_cast<std::size_t>(run.range(1)));
  const auto writes = static_cast<std::size_t>(run.range(2));
  Pauses whole, sync, slices;
  int slice = 0;
  double bytes = 0, most_bytes = 0;
  for (auto _ : run) {
    run.PauseTiming();
    state.subtask.delete_previous();
    state.write_some(writes);
    run.ResumeTiming();
    // As many go on being written meanwhile as a job of 100,000 records/s might.
    whole.time([&] {
      state.subtask.checkpoint(sync, slices, [&] {
        if (++slice % 32 == 0) state.write_some(kBatch);
      });
    });
    bytes += state.subtask.new_bytes();
    most_bytes = std::max(most_bytes, state.subtask.new_bytes());
  }
  run.counters["fill_batch_max_ms"] = state.batches.at(1);
  run.counters["median_ms"] = whole.at(0.5);
  run.counters["sync_p99_ms"] = sync.at(0.99);
  run.counters["slice_p99_ms"] = slices.at(0.99);
  run.counters["slice_max_ms"] = slices.at(1);
  run.counters["MB"] = bytes / 1e6 / static_cast<double>(run.iterations());
  run.counters["max_MB"] = most_bytes / 1e6;
  run.counters["state_MB"] = state.subtask.stored_bytes() / 1e6;
}
BENCHMARK_CAPTURE(BM_Checkpoint, rocksdb, "rocksdb")
    ->Args({1'000'000, 8, 1'000})
    ->Args({1'000'000, 8, 10'000})
    ->Args({1'000'000, 8, 100'000})
    ->Args({10'000'000, 8, 1'000})
    ->Args({10'000'000, 8, 10'000})
    ->Args({10'000'000, 8, 100'000})
    ->Iterations(20)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
// 5 GB: most of its time is the filling.
BENCHMARK_CAPTURE(BM_Checkpoint, rocksdb, "rocksdb")
    ->Args({5'000'000, 1'000, 1'000})
    ->Args({5'000'000, 1'000, 10'000})
    ->Args({5'000'000, 1'000, 100'000})
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_Checkpoint, hashmap, "hashmap")
    ->Args({1'000'000, 8, 100'000})
    ->Args({10'000'000, 8, 100'000})
    ->Iterations(3)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// Args: keys, parallelism before, parallelism after. Each subtask of the new one in turn.
void BM_Restore(benchmark::State& run, const char* type) {
  Storage storage;
  const auto keys = run.range(0);
  const auto before = static_cast<int>(run.range(1)), after = static_cast<int>(run.range(2));
  std::vector<pb::KeyedStateHandle> handles;
  for (int i = 0; i < before; ++i) {
    const KeyGroupRange range = key_group_range(i, before, kMaxParallelism);
    Subtask subtask(storage, type, range);
    for (std::int64_t key = 0; key < keys; ++key) {
      const int group = key_group_of(hash_key<std::int64_t>(key), kMaxParallelism);
      if (range.contains(group)) subtask.write(key, 8, true);
    }
    Pauses ignored;
    subtask.checkpoint(ignored, ignored, [] {});
    handles.push_back(subtask.handle());
  }
  double longest = 0, memory_bytes = 0;
  for (auto _ : run) {
    for (int i = 0; i < after; ++i) {
      Subtask subtask(storage, type, key_group_range(i, after, kMaxParallelism));
      std::vector<RestoreSource> sources;
      for (const auto& handle : handles) {
        const KeyGroupRange range{handle.first_key_group(), handle.last_key_group()};
        if (intersection(range, subtask.state().key_groups()).size() == 0) continue;
        sources.push_back({.handle = &handle, .storage = storage.storage.get(), .own = true});
      }
      Pauses whole;
      whole.time([&] {
        const absl::Status restored = subtask.backend().restore(subtask.state(), sources, false);
        if (!restored.ok()) run.SkipWithError(restored.ToString().c_str());
      });
      longest = std::max(longest, whole.at(1));
      memory_bytes = std::max(memory_bytes, static_cast<double>(subtask.state().memory_bytes()));
    }
  }
  run.counters["longest_subtask_ms"] = longest;
  run.counters["bytes_per_key"] = memory_bytes / static_cast<double>(keys / after);
}
BENCHMARK_CAPTURE(BM_Restore, rocksdb, "rocksdb")
    ->Args({1'000'000, 1, 1})
    ->Args({10'000'000, 1, 1})
    ->Args({10'000'000, 2, 3})
    ->Args({10'000'000, 3, 1})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_Restore, hashmap, "hashmap")
    ->Args({1'000'000, 1, 1})
    ->Args({10'000'000, 1, 1})
    ->Args({10'000'000, 2, 3})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace weir

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  weir::last.reset();  // before what the database has of its own
}
