#include "taskmanager/state/rocksdb_backend.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_matchers.h"
#include "taskmanager/state/hashmap_backend.h"
#include "taskmanager/state/testing/backend_drill.h"
#include "taskmanager/state/testing/memory_storage.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using Result = absl::StatusOr<pb::KeyedStateHandle>;

constexpr std::size_t kMiB = 1 << 20;

class LocalFolder {
 public:
  LocalFolder() : path_(::testing::TempDir() + "/weir_rocksdb_XXXXXX") {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~LocalFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class RocksDbBackendTest : public ::testing::Test {
 protected:
  std::unique_ptr<KeyedStateBackend> open(std::size_t table_bytes) {
    auto backend = RocksDbBackend::open({.folder = absl::StrCat(folder_.path(), "/", opened_++),
                                         .memory = memory_,
                                         .table_bytes = table_bytes});
    EXPECT_THAT(backend, IsOk());
    return *std::move(backend);
  }
  BackendDrill::Factory factory(std::size_t table_bytes) {
    return [this, table_bytes](int) { return open(table_bytes); };
  }

  Result take(KeyedStateBackend& backend, KeyedStateBase& state, std::int64_t id,
              bool savepoint = false) {
    std::promise<Result> done;
    backend.begin_snapshot(state,
                           {.storage = &storage_,
                            .folder = absl::StrCat("job/chk-", id),
                            .shared_folder = "job/shared",
                            .name = "count-0",
                            .checkpoint_id = id,
                            .canonical = savepoint},
                           [&](Result result) { done.set_value(std::move(result)); });
    EXPECT_TRUE(state.snapshot_some(1'000'000'000));
    return done.get_future().get();
  }
  static std::uint64_t new_bytes(const pb::KeyedStateHandle& handle, std::int64_t id) {
    std::uint64_t bytes = 0;
    for (const auto& file : handle.files()) {
      const bool is_new = file.path().find(absl::StrCat("-", id, "-")) != std::string::npos;
      bytes += is_new ? file.size_bytes() : 0;
    }
    return bytes;
  }

  LocalFolder folder_;
  MemoryStorage storage_;
  std::shared_ptr<RocksDbMemory> memory_ = std::make_shared<RocksDbMemory>(64 * kMiB, 4);
  int opened_ = 0;
};

class RocksDbBackendDrill : public RocksDbBackendTest, public ::testing::WithParamInterface<int> {};

TEST_P(RocksDbBackendDrill, StateIsThatOfTheLastCompletedCheckpointAtEveryParallelism) {
  BackendDrill(GetParam(), factory(kMiB)).run(10);
}

TEST_P(RocksDbBackendDrill, TheSameWhenTheTablesInMemoryAreMuchSmallerThanTheState) {
  BackendDrill(GetParam(), factory(60'000), 2000).run(10);
}

TEST_P(RocksDbBackendDrill, SavepointsMoveStateBetweenTheBackends) {
  BackendDrill drill(GetParam(), factory(60'000));
  drill.run(4);
  drill.move_to([](int) { return std::make_unique<HashMapBackend>(); });
  drill.run(4);
  drill.move_to(factory(kMiB));
  drill.run(4);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RocksDbBackendDrill, ::testing::Range(1, 4));

TEST_F(RocksDbBackendTest, ACheckpointUploadsWhatChangedAndNamesTheRestAgain) {
  auto backend = open(32 * kMiB);
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  const auto write = [&](std::int64_t keys, std::int64_t value) {
    for (std::int64_t key = 0; key < keys; ++key) {
      state.set_current_key(key);
      count.update(value);
    }
  };
  write(100'000, 1);
  const Result first = take(*backend, state, 1);
  ASSERT_THAT(first, IsOk());
  EXPECT_GT(new_bytes(*first, 1), 300'000u);
  backend->checkpoint_completed(1);
  write(100, 2);
  const Result second = take(*backend, state, 2);
  ASSERT_THAT(second, IsOk());
  EXPECT_LT(new_bytes(*second, 2), 20'000u);
  // Not completed: the third doesn't name the second's files.
  const Result third = take(*backend, state, 3);
  ASSERT_THAT(third, IsOk());
  EXPECT_EQ(new_bytes(*third, 2), 0u);
  EXPECT_GT(new_bytes(*third, 3), 0u);
}

TEST_F(RocksDbBackendTest, ARestoredDatabaseNamesItsFilesAgainOnlyIfTheyAreTheJobsOwn) {
  pb::KeyedStateHandle handle;
  {
    auto backend = open(32 * kMiB);
    KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
    auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
    for (std::int64_t key = 0; key < 100'000; ++key) {
      state.set_current_key(key);
      count.update(key);
    }
    handle = *take(*backend, state, 1);
  }
  for (const bool own : {true, false}) {
    auto backend = open(32 * kMiB);
    KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
    auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
    const RestoreSource source{.handle = &handle, .storage = &storage_, .own = own};
    ASSERT_THAT(backend->restore(state, {&source, 1}, false), IsOk());
    state.set_current_key(77'777);
    EXPECT_EQ(count.value_or(-1), 77'777);
    const Result next = take(*backend, state, 2);
    ASSERT_THAT(next, IsOk());
    EXPECT_EQ(new_bytes(*next, 2) < 50'000, own);
  }
}

TEST_F(RocksDbBackendTest, TablesStayWithinTheirMemoryWhateverTheStatesSize) {
  constexpr std::size_t kTableBytes = 4 * kMiB;
  auto backend = open(kTableBytes);
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  auto value = state.get_state(ValueStateDescriptor<std::string>("value"));
  for (std::int64_t key = 0; key < 100'000; ++key) {
    state.set_current_key(key);
    value.update(std::string(100, static_cast<char>('a' + key % 26)));
    ASSERT_LE(state.memory_bytes(), kTableBytes + kTableBytes / 4);
    if (key == 50'000) {
      ASSERT_THAT(take(*backend, state, 1), IsOk());
    }
  }
  for (std::int64_t key = 0; key < 100'000; key += 7) {
    state.set_current_key(key);
    ASSERT_EQ(value.value_or(""), std::string(100, static_cast<char>('a' + key % 26))) << key;
  }
  EXPECT_LE(memory_->used_bytes(), 40 * kMiB);
}

TEST_F(RocksDbBackendTest, AFailedUploadLosesTheCheckpointAndNotTheState) {
  auto backend = open(kMiB);
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  state.set_current_key(1);
  count.update(1);
  storage_.write_error = absl::ResourceExhaustedError("can't write f: no space left");
  EXPECT_THAT(take(*backend, state, 1),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("can't store keyed state in checkpoint 1: can't write f")));
  storage_.write_error = absl::OkStatus();
  const Result second = take(*backend, state, 2);
  ASSERT_THAT(second, IsOk());
  auto other = open(kMiB);
  KeyedState<std::int64_t> restored(other->state_backend(), {0, 127}, 128);
  auto restored_count = restored.get_state(ValueStateDescriptor<std::int64_t>("count"));
  const RestoreSource source{.handle = &*second, .storage = &storage_};
  ASSERT_THAT(other->restore(restored, {&source, 1}, false), IsOk());
  restored.set_current_key(1);
  EXPECT_EQ(restored_count.value_or(0), 1);
}

TEST_F(RocksDbBackendTest, AlteredMissingAndMisnamedFilesAreRefused) {
  auto backend = open(kMiB);
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  state.set_current_key(1);
  count.update(1);
  pb::KeyedStateHandle handle = *take(*backend, state, 1);
  const auto restore = [&](const pb::KeyedStateHandle& altered) {
    auto other = open(kMiB);
    KeyedState<std::int64_t> restored(other->state_backend(), {0, 127}, 128);
    restored.get_state(ValueStateDescriptor<std::int64_t>("count"));
    const RestoreSource source{.handle = &altered, .storage = &storage_};
    return other->restore(restored, {&source, 1}, false);
  };
  EXPECT_THAT(restore(handle), IsOk());
  pb::KeyedStateHandle misnamed = handle;
  misnamed.mutable_files(0)->set_local_name("../x.sst");
  EXPECT_THAT(restore(misnamed), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("../x.sst")));
  pb::KeyedStateHandle empty = handle;
  empty.clear_files();
  EXPECT_THAT(restore(empty), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no manifest")));
  for (const auto& file : handle.files()) {
    const std::string whole = storage_.files[file.path()];
    storage_.files[file.path()] = whole.substr(0, whole.size() / 2);
    EXPECT_FALSE(restore(handle).ok()) << file.path();
    storage_.files.erase(file.path());
    EXPECT_THAT(restore(handle), StatusIs(absl::StatusCode::kNotFound, HasSubstr(file.path())));
    storage_.files[file.path()] = whole;
  }
  HashMapBackend hashmap;
  KeyedState<std::int64_t> in_memory(hashmap.state_backend(), {0, 127}, 128);
  const RestoreSource source{.handle = &handle, .storage = &storage_};
  EXPECT_THAT(hashmap.restore(in_memory, {&source, 1}, false),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another state backend")));
}

}  // namespace
}  // namespace weir
