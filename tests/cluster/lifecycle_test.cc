// The lives of a job that nobody kills, or whose whole cluster goes: stops, rescaling, ends,
// restarts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cluster/drill_seed.h"
#include "tests/cluster/processed_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One more slot than most jobs here need.
DrillOptions roomy() {
  DrillOptions options;
  options.cluster.slots = 2;
  return options;
}

void wait_for_state(ProcessedDrill& drill, const std::string& state) {
  drill.cluster().wait_until("the job to be " + state,
                             [&] { return drill.cluster().job_state(drill.job()) == state; });
}

TEST(LifecycleTest, StopsAndGoesOnWithFewerAndWithMoreSubtasks) {
  KafkaFixture& kafka = KafkaFixture::shared();
  ProcessedDrill drill(kafka, roomy());
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 12));
  for (const char* parallelism : {"1", "3"}) {
    const std::string path = drill.savepoint("stop");
    EXPECT_EQ(cluster.job_state(drill.job()), "FINISHED");
    EXPECT_THAT(kafka.open_transactions(drill.prefix()), IsEmpty());
    drill.submit({"-s", path, "-p", parallelism});
    drill.wait_for_checkpoints(3);
  }
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

TEST(LifecycleTest, ABoundedJobFinishesWithEverythingCommitted) {
  KafkaFixture& kafka = KafkaFixture::shared();
  DrillOptions options;
  options.job_arguments = {"--bounded"};
  options.records = 5'000;
  options.records_per_second = 1'000'000;
  ProcessedDrill drill(kafka, options);
  drill.start_input();
  drill.wait_for_input(std::chrono::seconds(60));
  drill.submit({});
  wait_for_state(drill, "FINISHED");
  drill.expect_exact();
  drill.expect_nothing_open();
}

TEST(LifecycleTest, ARetainedCheckpointOfACancelledJobIsRestoredExactly) {
  DrillOptions options = roomy();
  options.cluster.config = {
      {"execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"}};
  ProcessedDrill drill(KafkaFixture::shared(), options);
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 12));
  EXPECT_EQ(cluster.weir({"cancel", drill.job()}).exit_code, 0);
  std::string retained;
  for (const auto& entry :
       std::filesystem::directory_iterator(cluster.checkpoints_folder() + "/" + drill.job())) {
    if (entry.path().filename().string().starts_with("chk-")) retained = entry.path();
  }
  ASSERT_NE(retained, "");
  drill.submit({"-s", retained});
  drill.wait_for_checkpoints(3);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

TEST(LifecycleTest, TheJobManagerTakesItsJobsUpAgainEachTime) {
  ProcessedDrill drill(KafkaFixture::shared(), {});
  drill.start();
  drill.wait_for_checkpoints(drawn(2, 1, 12));
  for (int i = 0; i < 2; ++i) {
    const std::uint64_t generation = drill.generation();
    drill.cluster().restart("jobmanager-1");
    drill.wait_for_commits_above(generation);
  }
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

TEST(LifecycleTest, EverythingAtOnceIsKilledAndComesBack) {
  ProcessedDrill drill(KafkaFixture::shared(), {});
  MiniCluster& cluster = drill.cluster();
  drill.start();
  drill.wait_for_checkpoints(drawn(3, 1, 12));
  const std::uint64_t generation = drill.generation();
  cluster.kill("jobmanager-1");
  cluster.kill("taskmanager-1");
  cluster.restart("jobmanager-1");
  cluster.restart("taskmanager-1");
  drill.wait_for_commits_above(generation);
  const std::uint64_t next = drill.generation();
  for (const char* name : {"jobmanager-1", "taskmanager-1", "taskmanager-2"}) cluster.kill(name);
  for (const char* name : {"taskmanager-1", "taskmanager-2", "jobmanager-1"}) cluster.restart(name);
  drill.wait_for_commits_above(next);
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

TEST(LifecycleTest, UserCodeThatThrowsRestartsTheJobAndItsFirstFaultIsKept) {
  DrillOptions options;
  options.library = "tests/jobs/tunable";
  options.cluster.config = {{"restart-strategy.fixed-delay.delay", "200 ms"}};
  ProcessedDrill drill(KafkaFixture::shared(), options);
  MiniCluster& cluster = drill.cluster();
  const std::string throw_while = cluster.folder() + "/throw";
  std::ofstream(throw_while) << "yes";
  drill.add_job_arguments({"--throw-while", throw_while});
  drill.start();
  drill.wait_for_checkpoints(1);
  KafkaFixture::shared().produce(drill.input_topic(), {"an error"});
  cluster.wait_until("two restarts", [&] { return drill.restarts() >= 2; });
  std::filesystem::remove(throw_while);
  wait_for_state(drill, "RUNNING");
  EXPECT_THAT(cluster.weir({"status", drill.job()}).output,
              AllOf(HasSubstr("first fault:"), HasSubstr("a record says error")));
  drill.expect_exact();
  drill.expect_nothing_open_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
