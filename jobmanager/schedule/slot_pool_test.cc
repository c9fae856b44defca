#include "jobmanager/schedule/slot_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class SlotPoolTest : public testing::Test {
 protected:
  void request(const std::string& allocation, int32_t count,
               std::vector<std::string> preferred = {}) {
    pool_.request(allocation, count, now_ + seconds(5), seconds(5), std::move(preferred));
  }
  std::vector<std::string> granted() {
    const auto decisions = pool_.advance(now_);
    return decisions.size() == 1 && std::holds_alternative<SlotPool::Granted>(decisions[0])
               ? std::get<SlotPool::Granted>(decisions[0]).taskmanagers
               : std::vector<std::string>();
  }

  MonotonicTime now_{std::chrono::hours(1)};
  SlotPool pool_;
};

TEST_F(SlotPoolTest, SpreadsAJobOverTheFreestTaskManagers) {
  pool_.add_taskmanager("a", 2);
  pool_.add_taskmanager("b", 2);
  request("job", 3);
  EXPECT_THAT(granted(), ElementsAre("a", "b", "a"));
  EXPECT_EQ(pool_.slots_free(), 1);
}

TEST_F(SlotPoolTest, ASlotIsOfThePreferredTaskManagerIfThatHasOne) {
  pool_.add_taskmanager("a", 1);
  pool_.add_taskmanager("b", 2);
  pool_.add_taskmanager("c", 4);
  request("first", 4, {"b", "gone", "a", "a"});
  EXPECT_THAT(granted(), ElementsAre("b", "c", "a", "c"));
  pool_.release_all("first");
  request("second", 2, {"a", "b", "c"});
  EXPECT_THAT(granted(), ElementsAre("a", "b"));
}

TEST_F(SlotPoolTest, AJobWaitsUntilAllItsSlotsAreThere) {
  request("job", 2);
  pool_.add_taskmanager("a", 1);
  EXPECT_TRUE(granted().empty());
  pool_.add_taskmanager("b", 1);
  EXPECT_THAT(granted(), ElementsAre("a", "b"));
}

TEST_F(SlotPoolTest, SaysWhatIsMissingWhenItTimesOut) {
  pool_.add_taskmanager("a", 2);
  request("job", 4);
  EXPECT_EQ(pool_.shortage("job"), "needs 4 slots, 2 free of 2 on 1 TaskManager");
  EXPECT_TRUE(pool_.advance(now_ + seconds(4)).empty());
  const auto decisions = pool_.advance(*pool_.next_wakeup());
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_THAT(std::get<SlotPool::Refused>(decisions[0]).cause,
              HasSubstr("needs 4 slots, 2 free of 2 on 1 TaskManager"));
  EXPECT_EQ(pool_.next_wakeup(), std::nullopt);
}

TEST_F(SlotPoolTest, ReleasedSlotsGoToWhoeverWaits) {
  pool_.add_taskmanager("a", 1);
  request("first", 1);
  granted();
  request("second", 1);
  EXPECT_TRUE(granted().empty());
  pool_.release("first", "a");
  EXPECT_THAT(granted(), ElementsAre("a"));
}

TEST_F(SlotPoolTest, AVanishedTaskManagerTakesItsSlotsWithIt) {
  pool_.add_taskmanager("a", 1);
  request("job", 1);
  granted();
  pool_.remove_taskmanager("a");
  EXPECT_EQ(pool_.slots_total(), 0);
  pool_.add_taskmanager("b", 1);
  request("job", 1);
  EXPECT_THAT(granted(), ElementsAre("b"));
}

TEST_F(SlotPoolTest, CoordinatorsAloneNeedATaskManagerButNoSlot) {
  pool_.add_taskmanager("a", 1);
  request("job", 1);
  granted();
  request("settling", 0);
  EXPECT_THAT(granted(), ElementsAre("a"));
}

TEST_F(SlotPoolTest, AWithdrawnRequestIsNotServed) {
  request("job", 1);
  pool_.release_all("job");
  pool_.add_taskmanager("a", 1);
  EXPECT_TRUE(granted().empty());
}

}  // namespace
}  // namespace weir
