#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "jobmanager/checkpoint/checkpoint_coordinator.h"
#include "jobmanager/checkpoint/transaction_ledger.h"
#include "tests/simulation/world.h"

namespace weir::simulation {

inline constexpr char kJobId[] = "job";

// The JobManager's thread that writes: one thing after another, each step at its own time, so that
// a death or a stop falls between any two of them. Its answers come back into the mailbox.
class Publisher {
 public:
  // `fenced` is called when somebody else leads.
  Publisher(World& world, Process& process, std::function<void()> fenced);

  // Reads the job's record, or makes it.
  void load(std::function<void()> done);
  // Changes the record, however often it takes.
  void change_record(std::function<void(pb::JobRecord&)> change, std::function<void()> done);
  // The same, but not behind what is being written: wrong.
  void change_record_at_once(std::function<void(pb::JobRecord&)> change,
                             std::function<void()> done) {
    write(std::move(change), std::move(done), false);
  }
  // `rescaled`: with which graph the job goes on, or nullptr.
  void publish(const PublishDecision& decision, Attempt attempt, TransactionLedger& ledger,
               const pb::JobGraph* rescaled, std::function<void(PublicationOutcome)> outcome);

  // What is stored, as far as this JobManager knows.
  const pb::JobRecord& record() const { return stored_.record; }
  LeaderEpoch epoch() const { return store_.leader_epoch(); }

 private:
  using Work = std::function<void()>;

  void enqueue(Work work);
  void next();
  void later(Work work);
  void answer(Work work);
  void write(std::function<void(pb::JobRecord&)> change, std::function<void()> done, bool queued);
  void publish_record(pb::JobRecord record, std::function<void(PublicationOutcome)> outcome);
  void settle(pb::JobRecord record, std::function<void(PublicationOutcome)> outcome);
  pb::CheckpointManifest manifest_of(const PublishDecision& decision, Attempt attempt) const;

  World& world_;
  Process& process_;
  SimulatedMetadataStore store_;
  const std::function<void()> fenced_;
  VersionedJobRecord stored_;
  std::deque<Work> queue_;
  bool busy_ = false;
  int64_t last_answer_us_ = 0;  // answers come in the order of the questions
};

}  // namespace weir::simulation
