#include "taskmanager/state/hashmap_backend.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "common/status_matchers.h"
#include "taskmanager/state/testing/backend_drill.h"
#include "taskmanager/state/testing/memory_storage.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using Result = absl::StatusOr<pb::KeyedStateHandle>;

constexpr KeyGroupRange kAllGroups{0, 127};

std::unique_ptr<KeyedStateBackend> make_backend(int) {
  return std::make_unique<HashMapBackend>();
}

class HashMapBackendDrill : public ::testing::TestWithParam<int> {};

TEST_P(HashMapBackendDrill, StateIsThatOfTheLastCompletedCheckpointAtEveryParallelism) {
  BackendDrill(GetParam(), make_backend).run(25);
}

INSTANTIATE_TEST_SUITE_P(Seeds, HashMapBackendDrill, ::testing::Range(1, 9));

class HashMapBackendTest : public ::testing::Test {
 protected:
  // A checkpoint of a state "count" with so many keys.
  Result take(std::int64_t keys) {
    HashMapBackend backend;
    KeyedState<std::int64_t> state(backend.state_backend(), kAllGroups, 128);
    auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
    for (std::int64_t key = 0; key < keys; ++key) {
      state.set_current_key(key);
      count.update(key);
    }
    std::promise<Result> done;
    backend.begin_snapshot(state, {.storage = &storage_, .folder = "j/chk-1", .name = "count-0"},
                           [&](Result result) { done.set_value(std::move(result)); });
    EXPECT_TRUE(state.snapshot_some(1'000'000'000));
    return done.get_future().get();
  }
  template <typename Descriptor>
  absl::Status restore(const pb::KeyedStateHandle& handle, const Descriptor& descriptor,
                       int max_parallelism = 128, bool allow_non_restored_state = false) {
    HashMapBackend backend;
    KeyedState<std::int64_t> state(backend.state_backend(), {0, max_parallelism - 1},
                                   max_parallelism);
    state.get_state(descriptor);
    const RestoreSource source{.handle = &handle, .storage = &storage_};
    return backend.restore(state, {&source, 1}, allow_non_restored_state);
  }

  MemoryStorage storage_;
};

TEST_F(HashMapBackendTest, ALargeStateIsSeveralFiles) {
  const Result handle = take(1'500'000);
  ASSERT_THAT(handle, IsOk());
  EXPECT_GT(handle->files_size(), 1);
  for (const auto& file : handle->files()) EXPECT_LT(file.size_bytes(), 40u << 20);
  HashMapBackend backend;
  KeyedState<std::int64_t> state(backend.state_backend(), {0, 63}, 128);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  const RestoreSource source{.handle = &*handle, .storage = &storage_};
  ASSERT_THAT(backend.restore(state, {&source, 1}, false), IsOk());
  std::int64_t found = 0;
  for (std::int64_t key = 0; key < 1'500'000; key += 1000) {
    state.set_current_key(key);
    const bool ours = key_group_of(hash_key<std::int64_t>(key), 128) < 64;
    ASSERT_EQ(count.value_or(-1), ours ? key : -1);
    found += ours ? 1 : 0;
  }
  EXPECT_GT(found, 500);
}

TEST_F(HashMapBackendTest, AStateOfOtherTypesIsRefusedByName) {
  const Result handle = take(10);
  EXPECT_THAT(restore(*handle, ValueStateDescriptor<std::int64_t>("count")), IsOk());
  EXPECT_THAT(
      restore(*handle, ValueStateDescriptor<std::string>("count")),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               HasSubstr("state 'count' is a VALUE of i64 to i64 in the checkpoint and a VALUE of "
                         "i64 to string in the job")));
}

TEST_F(HashMapBackendTest, AStateThatTheJobNoLongerDeclaresIsRefusedUnlessItMayBeDropped) {
  const Result handle = take(10);
  const ValueStateDescriptor<std::int64_t> other("other");
  EXPECT_THAT(restore(*handle, other),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("state 'count'")));
  EXPECT_THAT(restore(*handle, other, 128, true), IsOk());
}

TEST_F(HashMapBackendTest, AnotherNumberOfKeyGroupsIsRefused) {
  const Result handle = take(10);
  EXPECT_THAT(
      restore(*handle, ValueStateDescriptor<std::int64_t>("count"), 64),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("has 128 key groups, the job 64")));
}

TEST_F(HashMapBackendTest, AnAlteredOrMissingFileIsRefusedByName) {
  const Result handle = take(10);
  const std::string path = handle->files(0).path();
  const ValueStateDescriptor<std::int64_t> count("count");
  storage_.files[path][60] ^= 1;
  EXPECT_THAT(restore(*handle, count), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(path)));
  storage_.files.erase(path);
  EXPECT_THAT(restore(*handle, count), StatusIs(absl::StatusCode::kNotFound, HasSubstr(path)));
}

TEST_F(HashMapBackendTest, AWriteThatFailsIsReported) {
  storage_.write_error = absl::ResourceExhaustedError("can't write f: no space left");
  EXPECT_THAT(take(10),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("can't store keyed state in checkpoint 0: can't write f")));
}

}  // namespace
}  // namespace weir
