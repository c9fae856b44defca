// Savepoints of a running job, and `run -s` from them: a savepoint rewinds, so what was committed
// after it is written once more, and nothing else is; what it had prepared is never guessed about.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::ThrowsMessage;

constexpr int kPartitions = 3;
constexpr const char* kProcesses[] = {"jobmanager-1", "taskmanager-1", "taskmanager-2"};

DrillOptions without_checkpoints() {
  DrillOptions options;
  options.checkpoint_interval = "5min";
  return options;
}

void start_until_both_write(ProcessedDrill& drill) {
  drill.start();
  drill.cluster().wait_until("open transactions", [&] {
    return subtasks(drill.open_transactions()) == std::set<int>{0, 1};
  });
}

// The numbers of records that bench-fill wrote, as often as they are there.
std::multiset<int> numbers(const std::vector<std::string>& values) {
  std::multiset<int> result;
  for (const std::string& value : values) {
    // "[processed_]<13 digits of time>,<10 digits>,…"
    result.insert(std::stoi(value.substr(value.find(',') + 1, 10)));
  }
  return result;
}

std::array<int, kPartitions> newest_by_partition(const std::multiset<int>& numbers) {
  std::array<int, kPartitions> newest = {};
  for (const int number : numbers) newest[number % kPartitions] = number;
  return newest;
}

// Everything ends at once, and a cluster comes up that knows nothing of the job but its savepoint
// and what lies beside its checkpoints.
void lose_the_cluster(MiniCluster& cluster) {
  for (const char* name : kProcesses) cluster.kill(name);
  std::filesystem::remove_all(cluster.metadata_folder());
  for (const char* name : kProcesses) cluster.restart(name);
  cluster.wait_until("the TaskManagers", [&] { return cluster.registered_taskmanagers() == 2; });
}

class SavepointTest : public SharedKafkaTest {
 protected:
  std::multiset<int> committed(ProcessedDrill& drill) {
    return numbers(KafkaFixture::shared().read_committed(drill.output_topic()));
  }

  // Takes a savepoint of a job that commits, lets it commit more, ends it by `end` and goes on from
  // the savepoint.
  template <typename End>
  void expect_rewind(End end) {
    KafkaFixture& kafka = KafkaFixture::shared();
    ProcessedDrill drill(kafka, {});
    MiniCluster& cluster = drill.cluster();
    drill.start();
    arm(drill, Counts::kOnceBothSubtasksCommit);
    const std::multiset<int> before = committed(drill);
    const std::string path = drill.savepoint();
    const std::multiset<int> input = numbers(kafka.read_uncommitted(drill.input_topic()));
    cluster.wait_until("commits of what came after the savepoint", [&] {
      return std::ranges::min(newest_by_partition(committed(drill))) > *input.rbegin();
    });
    drill.wait_for_checkpoints(cluster.completed_checkpoints(drill.job()) + drawn(3, 1, 12));
    end(drill);
    drill.submit({"-s", path});
    drill.wait_for_checkpoints(3);
    drill.stop_input();
    const std::size_t written = kafka.read_uncommitted(drill.input_topic()).size();
    std::set<int> twice;
    cluster.wait_until("all of the output", [&] {
      const std::multiset<int> now = committed(drill);
      twice.clear();
      for (const int number : now) {
        if (now.count(number) == 2) twice.insert(number);
      }
      return now.size() == written + twice.size();
    });
    expect_begins_at_savepoint(twice, before, input);
    const std::multiset<int> all = committed(drill);
    EXPECT_EQ(std::set<int>(all.begin(), all.end()).size(), written) << "records are lost";
    EXPECT_EQ(cluster.weir({"cancel", drill.job()}).exit_code, 0);
  }

  // Of each partition one range without gaps, that begins after what was committed before the
  // savepoint, and not after what was written while it was taken.
  static void expect_begins_at_savepoint(const std::set<int>& twice,
                                         const std::multiset<int>& before,
                                         const std::multiset<int>& input) {
    std::array<std::vector<int>, kPartitions> ranges;
    for (const int number : twice) {
      EXPECT_FALSE(before.contains(number)) << number << " was committed before the savepoint";
      ranges[number % kPartitions].push_back(number);
    }
    for (const std::vector<int>& range : ranges) {
      ASSERT_FALSE(range.empty());
      EXPECT_LE(range.front(), *input.rbegin() + kPartitions);
      EXPECT_EQ((range.back() - range.front()) / kPartitions + 1, static_cast<int>(range.size()));
    }
  }
};

TEST_F(SavepointTest, RewindsAJobThatWentOnAndWasCancelled) {
  expect_rewind([](ProcessedDrill& drill) {
    EXPECT_EQ(drill.cluster().weir({"cancel", drill.job()}).exit_code, 0);
  });
}

TEST_F(SavepointTest, RewindsAJobWhoseClusterIsGone) {
  expect_rewind([](ProcessedDrill& drill) { lose_the_cluster(drill.cluster()); });
}

TEST_F(SavepointTest, CommitsWhatItHadPreparedWhenNobodyElseDid) {
  ProcessedDrill drill(KafkaFixture::shared(), without_checkpoints());
  start_until_both_write(drill);
  const std::string path = drill.savepoint();
  EXPECT_THAT(committed(drill), IsEmpty());
  lose_the_cluster(drill.cluster());
  drill.set_checkpoint_interval("300ms");
  drill.submit({"-s", path});
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

// The cancel commits what the savepoint has prepared, and aborts what came after it.
TEST_F(SavepointTest, AJobCancelledAfterItGoesOnExactly) {
  ProcessedDrill drill(KafkaFixture::shared(), without_checkpoints());
  start_until_both_write(drill);
  const std::string path = drill.savepoint();
  EXPECT_THAT(committed(drill), IsEmpty());
  EXPECT_EQ(drill.cluster().weir({"cancel", drill.job()}).exit_code, 0);
  EXPECT_THAT(committed(drill), Not(IsEmpty()));
  drill.set_checkpoint_interval("300ms");
  drill.submit({"-s", path});
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

// A recovery has fenced what only the savepoint carries.
TEST_F(SavepointTest, SaysWhatARestartHasTakenFromIt) {
  ProcessedDrill drill(KafkaFixture::shared(), without_checkpoints());
  MiniCluster& cluster = drill.cluster();
  start_until_both_write(drill);
  const std::string path = drill.savepoint();
  const std::uint64_t generation = drill.generation();
  cluster.kill("taskmanager-1");
  cluster.restart("taskmanager-1");
  cluster.wait_until("the next attempt", [&] { return drill.generation() > generation; });
  EXPECT_EQ(cluster.weir({"cancel", drill.job()}).exit_code, 0);
  EXPECT_THAT(committed(drill), IsEmpty());
  EXPECT_THAT([&] { drill.submit({"-s", path}); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr("is lost"), HasSubstr(drill.prefix() + ":"))));
}

TEST_F(SavepointTest, DisturbsNothingOnTheWay) {
  ProcessedDrill drill(KafkaFixture::shared(), {});
  drill.start();
  drill.wait_for_checkpoints(drawn(2, 1, 12));
  EXPECT_NE(drill.savepoint(), "");
  drill.submit({"-s", drill.savepoint("stop")});
  drill.expect_exact();
  drill.expect_exact_after_cancel();
}

}  // namespace
}  // namespace weir::cluster_test
