// Counts per key, as keyed_count does, on one thread: how many updates of keyed state a second.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/storage/checkpoint_storage.h"
#include "taskmanager/state/keyed_state_backends.h"
#include "weir/state/keyed_state.h"

namespace weir {
namespace {

constexpr int kMaxParallelism = 128;
constexpr std::size_t kBatch = 256;
constexpr std::size_t kManagedBytes = 1 << 30;

std::vector<std::int64_t> random_keys(std::int64_t keys) {
  std::vector<std::int64_t> result(1 << 22);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<std::int64_t>(mix_bits(i) % static_cast<std::uint64_t>(keys));
  }
  return result;
}

std::string text_of(std::int64_t key) {
  return "customer-" + std::to_string(key);
}

struct Job {
  explicit Job(const char* type)
      : folder(std::filesystem::temp_directory_path() / "weir-state-benchmark"),
        backends(folder + "/local", {.managed_bytes = kManagedBytes}),
        backend(backends.open(type, "count", 1).value()),
        storage(storage::open_checkpoint_storage(folder + "/checkpoints").value()) {}
  ~Job() {
    backend.reset();
    std::filesystem::remove_all(folder);
  }

  const std::string folder;
  KeyedStateBackends backends;
  std::unique_ptr<KeyedStateBackend> backend;
  std::unique_ptr<storage::CheckpointStorage> storage;
};

template <typename K>
void count_batch(KeyedState<K>& state, ValueState<std::int64_t>& count,
                 std::span<const internal::StoredKeyView<K>> batch, bool prefetch) {
  if (!prefetch) {
    for (const auto& key : batch) {
      state.set_current_key(key);
      count.update(count.value_or(0) + 1);
    }
    return;
  }
  const std::span<const std::uint64_t> hashes = state.prefetch(batch);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    state.set_current_key(batch[i], hashes[i]);
    count.update(count.value_or(0) + 1);
  }
}

void BM_CountIntegers(benchmark::State& run, const char* type, bool prefetch) {
  Job job(type);
  KeyedState<std::int64_t> state(job.backend->state_backend(), {0, kMaxParallelism - 1},
                                 kMaxParallelism);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  const std::vector<std::int64_t> keys = random_keys(run.range(0));
  std::size_t next = 0;
  for (auto _ : run) {
    count_batch<std::int64_t>(state, count, std::span(keys).subspan(next, kBatch), prefetch);
    next = (next + kBatch) % keys.size();
  }
  run.SetItemsProcessed(run.iterations() * static_cast<std::int64_t>(kBatch));
}
BENCHMARK_CAPTURE(BM_CountIntegers, hashmap, "hashmap", true)->Arg(10'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(BM_CountIntegers, hashmap_no_prefetch, "hashmap", false)->Arg(1'000'000);
BENCHMARK_CAPTURE(BM_CountIntegers, rocksdb, "rocksdb", true)->Arg(1'000'000);

void BM_CountTexts(benchmark::State& run) {
  Job job("hashmap");
  KeyedState<std::string> state(job.backend->state_backend(), {0, kMaxParallelism - 1},
                                kMaxParallelism);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  std::vector<std::string> texts;
  for (const std::int64_t key : random_keys(run.range(0))) texts.push_back(text_of(key));
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::size_t next = 0;
  for (auto _ : run) {
    count_batch<std::string>(state, count, std::span(views).subspan(next, kBatch), true);
    next = (next + kBatch) % views.size();
  }
  run.SetItemsProcessed(run.iterations() * static_cast<std::int64_t>(kBatch));
}
BENCHMARK(BM_CountTexts)->Arg(1'000'000);

// A checkpoint of what changed, of a state of range(0) keys with range(1) written since the last.
void BM_Checkpoint(benchmark::State& run, const char* type) {
  Job job(type);
  KeyedState<std::int64_t> state(job.backend->state_backend(), {0, kMaxParallelism - 1},
                                 kMaxParallelism);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  std::int64_t id = 0, key = 0;
  const auto write = [&](std::int64_t keys) {
    for (std::int64_t i = 0; i < keys; ++i) {
      state.set_current_key(key++ % run.range(0));
      count.update(key);
    }
  };
  const auto checkpoint = [&] {
    std::promise<absl::StatusOr<pb::KeyedStateHandle>> done;
    const std::string folder = "job/chk-" + std::to_string(++id);
    job.backend->begin_snapshot(state,
                                {.storage = job.storage.get(),
                                 .folder = folder,
                                 .shared_folder = "job/shared",
                                 .name = "count",
                                 .checkpoint_id = id},
                                [&](auto handle) { done.set_value(std::move(handle)); });
    while (!state.snapshot_some(4096)) {
    }
    const pb::KeyedStateHandle handle = done.get_future().get().value();
    job.backend->checkpoint_completed(id);
  };
  write(run.range(0));
  checkpoint();
  for (auto _ : run) {
    run.PauseTiming();
    write(run.range(1));
    run.ResumeTiming();
    checkpoint();
  }
}
BENCHMARK_CAPTURE(BM_Checkpoint, rocksdb, "rocksdb")
    ->Args({1'000'000, 10'000})
    ->Args({1'000'000, 100'000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_Checkpoint, hashmap, "hashmap")
    ->Args({1'000'000, 100'000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace weir
