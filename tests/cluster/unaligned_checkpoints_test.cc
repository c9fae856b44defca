// Checkpoints of a job whose sink is much too slow: unaligned ones come through while all buffers
// are full, and what was in flight comes back once, after kills and at other parallelisms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/clock.h"
#include "tests/cluster/keyed_jobs.h"
#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::Gt;
using ::testing::Le;

class UnalignedCheckpointsTest : public SharedKafkaTest {
 protected:
  static DrillOptions options() {
    DrillOptions options = keyed_count_drill("hashmap");
    options.library = "tests/jobs/backpressured";
    options.records_per_second = 20'000;
    options.checkpoint_interval = "1s";
    options.cluster.config["execution.checkpointing.externalized-checkpoint-retention"] =
        "RETAIN_ON_CANCELLATION";
    return options;
  }
  static DrillOptions unaligned(const std::string& aligned_timeout) {
    DrillOptions unaligned = options();
    unaligned.cluster.config["execution.checkpointing.unaligned.enabled"] = "true";
    unaligned.cluster.config["execution.checkpointing.aligned-checkpoint-timeout"] =
        aligned_timeout;
    return unaligned;
  }

  // `pause_us`: for each record of a subtask.
  void start(ProcessedDrill& drill, int pause_us) {
    pause_while_ = drill.cluster().folder() + "/pause";
    std::ofstream(pause_while_) << "";
    drill.add_job_arguments(
        {"--pause-us", std::to_string(pause_us), "--pause-while", pause_while_});
    drill.start();
  }
  void end_pause() { std::filesystem::remove(pause_while_); }

  // Newest first.
  static std::vector<nlohmann::json> checkpoints(ProcessedDrill& drill, const std::string& status) {
    const nlohmann::json all = drill.cluster().rest("/jobs/" + drill.job() + "/checkpoints");
    std::vector<nlohmann::json> found;
    for (const auto& each : all.at("history")) {
      if (each.at("status").get<std::string>() == status) found.push_back(each);
    }
    return found;
  }
  static std::vector<nlohmann::json> completed(ProcessedDrill& drill) {
    return checkpoints(drill, "COMPLETED");
  }
  // Checkpoints that persist as much as full buffers hold.
  static void wait_for_backpressure(ProcessedDrill& drill) {
    drill.cluster().wait_until("checkpoints with full buffers in flight", [&] {
      const auto done = completed(drill);
      return !done.empty() && done.front().at("persisted_data").get<std::int64_t>() > 200'000;
    });
  }

  std::string pause_while_;
};

TEST_F(UnalignedCheckpointsTest, CompleteWithinTwoSecondsWhileTheSinkTakesAThousandRecordsASecond) {
  ProcessedDrill drill(KafkaFixture::shared(), unaligned("0 ms"));
  start(drill, 2000);
  wait_for_backpressure(drill);
  const auto first = completed(drill).front().at("id").get<std::int64_t>();
  drill.wait_for_progress();
  drill.wait_for_progress();
  for (const auto& checkpoint : completed(drill)) {
    if (checkpoint.at("id").get<std::int64_t>() <= first) continue;
    EXPECT_EQ(checkpoint.at("checkpoint_type").get<std::string>(), "UNALIGNED_CHECKPOINT");
    EXPECT_THAT(checkpoint.at("persisted_data").get<std::int64_t>(), Gt(0));
    EXPECT_THAT(checkpoint.at("end_to_end_duration").get<std::int64_t>(), Le(2000));
    std::cout << "unaligned: " << checkpoint.at("end_to_end_duration") << " ms\n";
  }
  end_pause();
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

// What the bound above is worth: the barrier stands behind all that is in flight.
TEST_F(UnalignedCheckpointsTest, AnAlignedOneIsNotDoneAfterFourSecondsThere) {
  ProcessedDrill drill(KafkaFixture::shared(), options());
  start(drill, 2000);
  drill.cluster().wait_until("an aligned checkpoint that takes four seconds", [&] {
    const auto under_way = checkpoints(drill, "IN_PROGRESS");
    const auto now_ms = unix_now_ms();
    return !under_way.empty() &&
           now_ms - under_way.back().at("trigger_timestamp").get<std::int64_t>() > 4000;
  });
  end_pause();
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

TEST_F(UnalignedCheckpointsTest, WhatWasInFlightComesBackOnceThroughKillsAndOtherParallelisms) {
  ProcessedDrill drill(KafkaFixture::shared(), unaligned("200 ms"));
  MiniCluster& cluster = drill.cluster();
  start(drill, 200);  // what was in flight is fed in seconds
  for (const int parallelism : {3, 1}) {
    wait_for_backpressure(drill);
    static const char* const kVictims[] = {"taskmanager-1", "taskmanager-2", "jobmanager-1"};
    cluster.restart(kVictims[drawn(parallelism % 3, 0, 2)]);
    drill.wait_for_progress();
    ASSERT_EQ(cluster.weir({"cancel", drill.job()}).exit_code, 0);
    const auto path = completed(drill).front().at("external_path").get<std::string>();
    drill.submit({"-s", path, "-p", std::to_string(parallelism)});
  }
  wait_for_backpressure(drill);
  end_pause();
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
