#pragma once

// One row of the fault table: a process dies at a fault point while records flow through the main
// job, what it has left in Kafka is looked at, it comes back, and the output is exact.

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "tests/cluster/drill_seed.h"
#include "tests/cluster/kafka_fixture.h"
#include "tests/cluster/processed_drill.h"

namespace weir::cluster_test {

// Its tests share one Kafka, whose own tool has the last word.
class SharedKafkaTest : public ::testing::Test {
 public:
  static void TearDownTestSuite() { expect_no_drill_left_anything_open(KafkaFixture::shared()); }
};

// From when on the hits of a fault point count.
enum class Counts {
  kFromTheStart,
  kOnceBothSubtasksCommit,
  kOnceIdsAreUsedAgain,  // so that an open transaction's epoch is above 0
};

// The hit at which a fault strikes: the usual one, or by WEIR_DRILL_SEED one of a range.
struct Hit {
  int usual = 2;
  int min = 1;
  int max = 12;
};

// What Kafka shows in the newest generation of the victim's subtasks; the JobManager's are both.
enum class AtKill {
  kNothing,
  kOpen,               // an open transaction
  kOpenOfBoth,         // of the other subtask too
  kOpenNoneCommitted,  // and nobody has ever committed one
  kOpenUsedAgain,      // under an id that was used before
  kPublished,          // an open one of a published checkpoint
  kCommitted,          // a committed one, of which the JobManager doesn't know that it is
};

// How many of the transactions that the kill left open a recovery commits: those of published
// checkpoints, which the ledger tells as long as the JobManager lives, and no others.
struct CommittedByRecovery {
  int min = 0;
  int max = 0;
};
constexpr CommittedByRecovery kNone{0, 0};  // their checkpoint never was the recovery point
constexpr CommittedByRecovery kOne{1, 1};   // the other subtask had committed its own before
constexpr CommittedByRecovery kBoth{2, 2};  // the checkpoint was published, nobody had committed
// A message was under way at the kill, or the next checkpoint was published already.
constexpr CommittedByRecovery kAny{0, 4};

struct KillRow {
  std::string name;    // of the test
  std::string victim;  // who is given the fault, at its first start
  // WEIR_FAULT, without the hit. If it doesn't kill, the victim is killed while it waits there.
  std::string fault;
  Hit hit = {};
  Counts counts = Counts::kOnceBothSubtasksCommit;
  AtKill at_kill = AtKill::kOpen;
  CommittedByRecovery committed_by_recovery = kNone;
  std::string checkpoint_interval = "300ms";
  DrillOptions drill = {};
};

inline void PrintTo(const KillRow& row, std::ostream* stream) {
  *stream << row.victim << ": " << row.fault;
}

// Fails the test if the fault point wasn't hit, or if Kafka showed something else than the row is
// about.
void run_kill_row(KafkaFixture& kafka, const KillRow& row);

// Lets fault points count as the drill wants it.
void arm(ProcessedDrill& drill, Counts counts);

void expect_at_kill(AtKill at_kill, ProcessedDrill& drill, const std::string& victim);

// `fault` at a hit that is drawn.
std::string at(const std::string& fault, const Hit& hit = {});

// Waits until `process` has reached its fault and is dead; kills it if the fault doesn't.
void wait_for_death(MiniCluster& cluster, const std::string& process);

// The start of a recovery with work to do: both subtasks' transactions are prepared, their
// checkpoint is published, nobody was notified, and every process of the cluster is dead.
struct InterruptedCommit {
  // `options` with a JobManager that dies there.
  InterruptedCommit(KafkaFixture& kafka, DrillOptions options);

  std::unique_ptr<ProcessedDrill> drill;
  std::vector<SinkTransaction> open;
  std::uint64_t generation = 0;
};

}  // namespace weir::cluster_test
