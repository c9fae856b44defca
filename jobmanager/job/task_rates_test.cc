#include "jobmanager/job/task_rates.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

pb::TaskMetrics report(uint64_t busy_ms, uint64_t idle_ms, uint64_t backpressured_ms,
                       uint64_t records_in) {
  pb::TaskMetrics metrics;
  metrics.set_busy_ms(busy_ms);
  metrics.set_idle_ms(idle_ms);
  metrics.set_backpressured_ms(backpressured_ms);
  metrics.set_records_in(records_in);
  return metrics;
}

TEST(TaskRates, AreOfTheTimeBetweenTheReports) {
  const auto rates = rates_between(report(100, 5000, 0, 10), report(1300, 5400, 400, 5010));
  ASSERT_TRUE(rates.has_value());
  EXPECT_DOUBLE_EQ(rates->busy_ms(), 600);
  EXPECT_DOUBLE_EQ(rates->idle_ms(), 200);
  EXPECT_DOUBLE_EQ(rates->backpressured_ms(), 200);
  EXPECT_DOUBLE_EQ(rates->records_in(), 2500);
}

TEST(TaskRates, AreUnknownWhileNoTimePasses) {
  EXPECT_FALSE(rates_between(report(100, 5000, 0, 10), report(100, 5000, 0, 20)).has_value());
}

}  // namespace
}  // namespace weir
