#pragma once

#include <cstdint>
#include <initializer_list>

namespace weir::simulation {

// A rule of the exactly-once protocol, broken on purpose by the simulated processes around the real
// cores. mutation_test.cc shows that each is noticed.
enum class Mutation : uint8_t {
  // sink: ids, handles, transactions
  kSameEpochAgain,         // the next transaction of an id without a fresh init
  kReuseBeforeLater,       // an id is free as soon as its commit is acknowledged
  kReuseFromFirstCarrier,  // … when a checkpoint later than the first that carried it is complete
  kReuseAfterSavepoint,    // … when a plain savepoint later than its carriers is complete
  kRetriedInitUsed,        // an id whose init was sent twice is used
  kNoGenerationInIds,
  kFourIds,  // records wait for one of them to be free
  kFlushErrorIgnored,
  // task
  kTaskAbortsPrepared,  // on cancel and failure
  kAbortOnDecline,
  kNoCarry,  // a snapshot holds what its own barrier prepared, nothing older
  kNotifyAcrossAttempts,
  kAlignmentDoesNotBlock,
  // commit
  kCommitNotRetried,
  kFencedMeansCommitted,  // 47 and its kin
  kKnownBeforeSeen,       // EndTxn's answer is enough, whether its markers are written or not
  // recovery
  kRecoveryTakesOwnIds,   // re-initialises the ids of the checkpoint that it restores
  kSweepBeforeRecovered,  // with no regard to the ids of the checkpoint being restored
  kRunBeforeRecovered,
  kStateNotRestored,
  kStateBySubtask,  // keyed state goes to the subtask of its old number, at any parallelism
  kNoFencing,       // neither at recovery nor by the sweep
  kNoSweep,
  kAbortMarkersMissing,  // nobody looks whether what was fenced is closed for readers too
  kFenceByEndTransaction,
  kLedgerIgnored,
  kResolvedNotDurable,
  // JobManager
  kNotifyBeforePointer,
  kNewestManifest,  // … lying about is restored, not the pointer's
  kOldAttemptPublishes,
  kCheckpointIdsAgain,
  kNoStoreFence,
  kSavepointCommits,
  kCancelWithoutCommit,
  kCancelNotDurable,
  kFinishBeforeCommitted,
};

class Mutations {
 public:
  Mutations() = default;
  Mutations(std::initializer_list<Mutation> mutations) {
    for (const Mutation mutation : mutations) bits_ |= uint64_t{1} << static_cast<int>(mutation);
  }
  bool has(Mutation mutation) const { return (bits_ >> static_cast<int>(mutation)) & 1; }

 private:
  uint64_t bits_ = 0;
};

}  // namespace weir::simulation
