#include "taskmanager/state/rocksdb_backend.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_matchers.h"
#include "taskmanager/state/hashmap_backend.h"
#include "taskmanager/state/testing/backend_drill.h"
#include "taskmanager/state/testing/rocksdb_backend_fixture.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

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

TEST_F(RocksDbBackendTest, ACutThatTheLocalDiskDoesntTakeIsInTheNextOne) {
  auto backend = open(kMiB);
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  auto map = state.get_map_state(MapStateDescriptor<std::int64_t, std::int64_t>("map"));
  const auto put = [&](std::int64_t key, std::int64_t value) {
    state.set_current_key(key);
    map.put(key, value);
  };
  put(1, 1);
  put(2, 1);
  ASSERT_THAT(take(*backend, state, 1), IsOk());
  put(2, 2);
  put(3, 2);
  state.set_current_key(1);
  map.remove(1);
  // In the place of the file that the second cut makes.
  const std::string in_the_way = folder_.path() + "/0/part-1-0.sst";
  std::filesystem::create_directory(in_the_way);
  EXPECT_THAT(take(*backend, state, 2).status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("can't take keyed state of checkpoint 2 into its database")));
  std::filesystem::remove(in_the_way);
  put(4, 3);
  state.set_current_key(1);
  EXPECT_TRUE(map.is_empty());
  const Result third = take(*backend, state, 3);
  ASSERT_THAT(third, IsOk());

  auto other = open(kMiB);
  KeyedState<std::int64_t> restored(other->state_backend(), {0, 127}, 128);
  auto found = restored.get_map_state(MapStateDescriptor<std::int64_t, std::int64_t>("map"));
  const RestoreSource source{.handle = &*third, .storage = &storage_};
  ASSERT_THAT(other->restore(restored, {&source, 1}, false), IsOk());
  const std::int64_t expected[] = {0, 2, 2, 3};
  for (std::int64_t key = 1; key <= 4; ++key) {
    restored.set_current_key(key);
    const std::int64_t* const value = found.get(key);
    EXPECT_EQ(value == nullptr ? 0 : *value, expected[key - 1]) << key;
  }
}

TEST_F(RocksDbBackendTest, AByteThatIsAlteredInAFileIsToldWithTheFilesName) {
  const auto files = storage::open_checkpoint_storage(folder_.path() + "/storage").value();
  auto backend = open(kMiB);
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  state.set_current_key(1);
  count.update(1);
  const Result handle = take(*backend, state, 1, false, files.get());
  ASSERT_THAT(handle, IsOk());
  for (const auto& file : handle->files()) {
    const std::string path = absl::StrCat(folder_.path(), "/storage/", file.path());
    std::fstream bytes(path, std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekp(static_cast<std::streamoff>(file.size_bytes() / 2));
    const auto byte = static_cast<char>(bytes.peek());
    const auto put = [&](char value) {
      bytes.seekp(static_cast<std::streamoff>(file.size_bytes() / 2));
      bytes.put(value).flush();
    };
    put(static_cast<char>(byte ^ 1));
    auto other = open(kMiB);
    KeyedState<std::int64_t> restored(other->state_backend(), {0, 127}, 128);
    restored.get_state(ValueStateDescriptor<std::int64_t>("count"));
    const RestoreSource source{.handle = &*handle, .storage = files.get()};
    EXPECT_THAT(other->restore(restored, {&source, 1}, false),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr(file.path())));
    put(byte);
  }
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
