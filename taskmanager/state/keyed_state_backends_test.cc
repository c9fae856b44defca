#include "taskmanager/state/keyed_state_backends.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/status_matchers.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

TEST(KeyedStateBackendsTest, EachTypeIsOpenedByItsNameAndLeavesNothingBehind) {
  std::string folder = ::testing::TempDir() + "/weir_backends_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  KeyedStateBackends backends(folder, {.managed_bytes = 64 << 20, .slots = 4});
  for (const char* type : {"hashmap", "rocksdb"}) {
    auto backend = backends.open(type, "count-0");
    ASSERT_THAT(backend, IsOk());
    EXPECT_EQ((*backend)->state_backend().holds_entries(), type == std::string("rocksdb"));
    KeyedState<std::int64_t> state((*backend)->state_backend(), {0, 127}, 128);
    auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
    state.set_current_key(1);
    count.update(7);
    EXPECT_EQ(count.value_or(0), 7);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

TEST(KeyedStateBackendsTest, AnUnknownTypeIsRefused) {
  EXPECT_THAT(KeyedStateBackends("/nowhere", {}).open("heap", "x"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no state backend 'heap'")));
}

}  // namespace
}  // namespace weir
