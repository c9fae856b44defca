// What the weaker delivery guarantees keep when a TaskManager is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::IsEmpty;

class GuaranteeTest : public ::testing::Test {
 protected:
  // A TaskManager dies when it has written a lot since a checkpoint, and comes back; the input ends
  // when the job has gone on.
  void run(const std::string& guarantee) {
    DrillOptions options;
    options.job_arguments = {"--guarantee", guarantee};
    options.checkpoint_interval = "2s";
    options.cluster.faults_armed = false;
    options.cluster.environment["taskmanager-1"] = {
        {"WEIR_FAULT", at("sink.record_produced=kill:100", {300, 100, 600})}};
    drill_ = std::make_unique<ProcessedDrill>(kafka_, options);
    MiniCluster& cluster = drill_->cluster();
    drill_->start();
    drill_->wait_for_checkpoints(1);
    cluster.arm_faults();
    wait_for_death(cluster, "taskmanager-1");
    cluster.restart("taskmanager-1");
    drill_->wait_for_checkpoints(cluster.completed_checkpoints(drill_->job()) + 2);
    drill_->stop_input();
    input_ = kafka_.read_uncommitted(drill_->input_topic());
    cluster.wait_until("the last of the output", [&] {
      const std::vector<std::string> written = output();
      return std::ranges::all_of(input_.end() - kLast, input_.end(), [&](const std::string& value) {
        return std::ranges::find(written, "processed_" + value) != written.end();
      });
    });
    EXPECT_THAT(drill_->transactions(), IsEmpty());
  }

  // What is in the output now, and what belongs there.
  std::vector<std::string> output() { return kafka_.read_committed(drill_->output_topic()); }
  std::set<std::string> expected() const {
    std::set<std::string> expected;
    for (const std::string& value : input_) expected.insert("processed_" + value);
    return expected;
  }

  static constexpr int kLast = 10;
  KafkaFixture& kafka_ = KafkaFixture::shared();
  std::unique_ptr<ProcessedDrill> drill_;
  std::vector<std::string> input_;
};

TEST_F(GuaranteeTest, AtLeastOnceRepeatsWhatNoCheckpointCoveredAndLosesNothing) {
  run("at-least-once");
  drill_->cluster().wait_until("all of the input", [&] {
    const std::vector<std::string> written = output();
    return std::set<std::string>(written.begin(), written.end()) == expected();
  });
  EXPECT_GT(output().size(), input_.size()) << "nothing was repeated";
}

TEST_F(GuaranteeTest, NoneGoesOnAndInventsNothing) {
  run("none");
  const std::set<std::string> all = expected();
  for (const std::string& value : output()) EXPECT_TRUE(all.contains(value)) << value;
}

}  // namespace
}  // namespace weir::cluster_test
