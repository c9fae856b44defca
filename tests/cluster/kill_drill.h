#pragma once

// One row of the fault table: a process dies at a fault point while records flow through the main
// job, what it has left in Kafka is looked at, it comes back, and the output is exact.

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/cluster/kafka_fixture.h"
#include "tests/cluster/processed_drill.h"

namespace weir::cluster_test {

// WEIR_DRILL_SEED, which lets the faults come at other checkpoints than by default.
std::optional<unsigned> drill_seed();
// A fault text in which N stands for the number of a checkpoint: the sixth, or by the seed another.
// Earlier ones may have found no records yet.
std::string at_checkpoint(std::string faults);

// What must have become of the transactions that the kill left open, when the job runs again.
struct CommittedByRecovery {
  int min = 0;
  int max = 0;
};
constexpr CommittedByRecovery kNone{0, 0};    // their checkpoint never was the recovery point
constexpr CommittedByRecovery kOne{1, 1};     // the other subtask had committed its own before
constexpr CommittedByRecovery kBoth{2, 2};    // the checkpoint was published, nobody had committed
constexpr CommittedByRecovery kEither{0, 2};  // a message was under way at the kill

// What Kafka shows of the victim's transactions (the JobManager's: of all) in the newest
// generation.
enum class AtKill { kNothing, kOpen, kCommitted };

// Its tests share one Kafka, whose own tool has the last word.
class SharedKafkaTest : public ::testing::Test {
 public:
  static void TearDownTestSuite() { expect_no_drill_left_anything_open(KafkaFixture::shared()); }
};

struct KillRow {
  std::string name;    // of the test
  std::string victim;  // who is given the faults, at its first start
  // WEIR_FAULT. If the last one doesn't kill, the victim is killed while it waits there.
  std::string faults;
  CommittedByRecovery committed_by_recovery = kNone;
  AtKill at_kill = AtKill::kOpen;
  // Ids had been used before: an open transaction's epoch is above 0.
  bool id_used_again = false;
  std::string checkpoint_interval = "300ms";
};

inline void PrintTo(const KillRow& row, std::ostream* stream) {
  *stream << row.victim << ": " << row.faults;
}

// Fails the test if the fault point wasn't hit, or if Kafka showed something else than the row is
// about: at a machine's hiccup the victim may have found no records, so it is killed up to
// kTimesMax times. The output must be exact however often that was.
constexpr int kTimesMax = 3;
void run_kill_row(KafkaFixture& kafka, const KillRow& row);

// Waits until `process` has reached all its faults (as many as the text has items), for the
// `times`-th time, and is dead; kills it if its last fault doesn't.
void wait_for_death(MiniCluster& cluster, const std::string& process, const std::string& faults,
                    int times = 1);

// The start of a recovery with work to do, for a drill whose JobManager has the fault below: both
// subtasks' transactions are prepared, their checkpoint is published, nobody was notified, and
// every process of the cluster is dead. Returns the open transactions.
constexpr char kDiesBeforeNotifying[] = "job.before_notify=kill@6";
std::vector<SinkTransaction> die_before_notifying(ProcessedDrill& drill);

}  // namespace weir::cluster_test
