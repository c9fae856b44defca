#include "taskmanager/state/keyed_state_backends.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_matchers.h"
#include "taskmanager/state/testing/rocksdb_backend_fixture.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

TEST(KeyedStateBackendsTest, EachTypeIsOpenedByItsNameAndLeavesNothingBehind) {
  const LocalFolder folder;
  KeyedStateBackends backends(folder.path(), {.managed_bytes = 64 << 20, .slots = 4});
  for (const char* type : {"hashmap", "rocksdb"}) {
    auto backend = backends.open(type, "count-0", 1);
    ASSERT_THAT(backend, IsOk());
    EXPECT_EQ((*backend)->state_backend().holds_entries(), type == std::string("rocksdb"));
    KeyedState<std::int64_t> state((*backend)->state_backend(), {0, 127}, 128);
    auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
    state.set_current_key(1);
    count.update(7);
    EXPECT_EQ(count.value_or(0), 7);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(KeyedStateBackendsTest, AllDatabasesOfAllSlotsStayWithinTheirMemory) {
  constexpr std::size_t kManagedBytes = 64 << 20;
  const LocalFolder folder;
  KeyedStateBackends backends(folder.path(), {.managed_bytes = kManagedBytes, .slots = 3});
  std::vector<std::unique_ptr<KeyedStateBackend>> opened;
  std::size_t table_bytes = 0;
  for (const int in_slot : {1, 2, 3}) {
    for (int i = 0; i < in_slot; ++i) {
      auto backend = backends.open("rocksdb", absl::StrCat("count-", in_slot, "-", i), in_slot);
      ASSERT_THAT(backend, IsOk());
      table_bytes += (*backend)->state_backend().memory_budget_bytes();
      opened.push_back(*std::move(backend));
    }
  }
  EXPECT_LE(table_bytes, kManagedBytes / 2);
  EXPECT_GT(table_bytes, kManagedBytes / 2 - 100);
}

TEST(KeyedStateBackendsTest, FilesAreSmallerWhereThereIsLessMemory) {
  constexpr std::size_t kMiB = 1 << 20;
  EXPECT_EQ(RocksDbMemory(160 * kMiB, 2).file_bytes(1), 2 * kMiB);
  EXPECT_EQ(RocksDbMemory(160 * kMiB, 2).file_bytes(2), 1 * kMiB);
  EXPECT_EQ(RocksDbMemory(16 * kMiB, 4).file_bytes(1), 1 * kMiB);
  EXPECT_EQ(RocksDbMemory(4096 * kMiB, 1).file_bytes(1), 16 * kMiB);
}

TEST(KeyedStateBackendsTest, CopiesAreDeletedWithTheLastTaskOfAJobThatHasEnded) {
  const LocalFolder folder;
  KeyedStateBackends backends(folder.path(), {});
  std::shared_ptr<LocalCopies> task = backends.copies_of("job");
  EXPECT_EQ(task, backends.copies_of("job"));
  task->write(1, "file:///c/a", "bytes");
  backends.keep_copies_of({"job", "another"});
  EXPECT_THAT(task->read("file:///c/a", 5), IsOk());
  backends.keep_copies_of({"another"});
  EXPECT_FALSE(std::filesystem::is_empty(folder.path()));
  task.reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(KeyedStateBackendsTest, AnUnknownTypeIsRefused) {
  EXPECT_THAT(KeyedStateBackends("/nowhere", {}).open("heap", "x", 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no state backend 'heap'")));
}

}  // namespace
}  // namespace weir
