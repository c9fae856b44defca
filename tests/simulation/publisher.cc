#include "tests/simulation/publisher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir::simulation {
namespace {

constexpr int64_t kRetryUs = 5 * kMillisecond;
constexpr int kCheckpointsRetained = 2;

}  // namespace

Publisher::Publisher(World& world, Process& process, std::function<void()> fenced)
    : world_(world), process_(process), store_(world.durable), fenced_(std::move(fenced)) {}

void Publisher::enqueue(Work work) {
  queue_.push_back(std::move(work));
  if (!busy_) next();
}

void Publisher::next() {
  busy_ = !queue_.empty();
  if (!busy_) return;
  later([work = std::move(queue_.front())] { work(); });
  queue_.pop_front();
}

void Publisher::later(Work work) {
  process_.after(world_.random.between(100, world_.scenario.write_step_max_us), std::move(work));
}

void Publisher::answer(Work work) {
  last_answer_us_ =
      std::max(last_answer_us_ + 1, world_.events.now_us() + world_.random.between(50, 1000));
  process_.at(last_answer_us_, std::move(work));
}

void Publisher::load(std::function<void()> done) {
  enqueue([this, done] {
    const auto stored = store_.read(kJobId);
    if (stored.ok() && stored->version > 0) {
      stored_ = *stored;
      answer(done);
      return next();
    }
    write(
        [](pb::JobRecord& record) {
          record.set_format_version(1);
          record.set_job_id(kJobId);
          record.set_next_checkpoint_id(1);
          record.set_attempt(-1);
        },
        done, true);
  });
}

void Publisher::change_record(std::function<void(pb::JobRecord&)> change,
                              std::function<void()> done) {
  enqueue([this, change, done] { write(change, done, true); });
}

void Publisher::write(std::function<void(pb::JobRecord&)> change, std::function<void()> done,
                      bool queued) {
  pb::JobRecord record = stored_.record;
  change(record);
  const auto version = store_.write(record, stored_.version);
  if (version.ok()) {
    stored_ = {std::move(record), *version};
    answer(done);
    if (queued) next();
    return;
  }
  if (absl::IsAborted(version.status())) return fenced_();
  // After an unknown outcome the version tells whether it was written.
  later([this, change, done, queued] {
    const auto stored = store_.read(kJobId);
    if (stored.ok() && stored->version > stored_.version) stored_ = *stored;
    process_.after(kRetryUs, [this, change, done, queued] { write(change, done, queued); });
  });
}

pb::CheckpointManifest Publisher::manifest_of(const PublishDecision& decision,
                                              Attempt attempt) const {
  pb::CheckpointManifest manifest;
  manifest.set_format_version(1);
  manifest.set_job_id(kJobId);
  manifest.set_checkpoint_id(decision.checkpoint.value());
  manifest.set_attempt(attempt.value());
  manifest.set_generation(record().generation());
  manifest.set_savepoint(is_savepoint(decision.kind));
  for (const auto& state : decision.operators) *manifest.add_operators() = state;
  for (const auto& state : decision.coordinators) *manifest.add_coordinators() = state;
  return manifest;
}

void Publisher::publish(const PublishDecision& decision, Attempt attempt, TransactionLedger& ledger,
                        const pb::JobGraph* rescaled,
                        std::function<void(PublicationOutcome)> outcome) {
  const auto tell = [this, outcome](PublicationOutcome result) {
    answer([outcome, result] { outcome(result); });
  };
  const pb::JobGraph graph = rescaled == nullptr ? pb::JobGraph() : *rescaled;
  enqueue([this, decision, attempt, &ledger, tell, graph] {
    const std::string path = absl::StrCat(kJobId, is_savepoint(decision.kind) ? "/sp-" : "/chk-",
                                          decision.checkpoint.value());
    const pb::CheckpointManifest manifest = manifest_of(decision, attempt);
    if (const auto status = world_.durable.write_manifest(path, manifest); !status.ok()) {
      tell(PublicationFailed{status.ToString()});
      return next();
    }
    WEIR_TRACE(world_.events, process_.name(), absl::StrCat("wrote ", path));
    later([this, decision, &ledger, tell, path, manifest, graph] {
      ledger.add_checkpoint(manifest, world_.events.now_ms());
      if (const auto status = world_.durable.write_ledger(ledger.to_proto(), epoch());
          !status.ok()) {
        tell(PublicationFailed{status.ToString()});
        return next();
      }
      later([this, decision, tell, path, graph] {
        pb::JobRecord record = stored_.record;
        const bool recovery_point = is_recovery_point(decision.kind);
        if (recovery_point && record.intent() != pb::JobRecord::RUN) {
          tell(PublicationFailed{"the job is being ended"});
          return next();
        }
        auto* pointer = recovery_point ? record.add_checkpoints() : record.add_savepoints();
        pointer->set_checkpoint_id(decision.checkpoint.value());
        pointer->set_path(path);
        pointer->set_savepoint(is_savepoint(decision.kind));
        if (record.checkpoints_size() > kCheckpointsRetained) {
          record.mutable_checkpoints()->erase(record.checkpoints().begin());
        }
        if (graph.nodes_size() > 0) *record.mutable_graph() = graph;
        if (is_last(decision.kind)) record.set_intent(pb::JobRecord::FINISH);
        if (recovery_point) return publish_record(std::move(record), tell);
        write([record](
                  pb::JobRecord& changed) { *changed.mutable_savepoints() = record.savepoints(); },
              [tell] { tell(SavepointWritten{}); }, true);
      });
    });
  });
}

void Publisher::publish_record(pb::JobRecord record,
                               std::function<void(PublicationOutcome)> outcome) {
  const auto published = CommitPermit::publish(store_, stored_, record);
  if (published.ok()) {
    WEIR_TRACE(
        world_.events, process_.name(),
        absl::StrCat("recovery point is checkpoint ", published->permit.checkpoint().value()));
    stored_ = {std::move(record), published->version};
    outcome(published->permit);
    return next();
  }
  if (absl::IsAborted(published.status())) return fenced_();
  if (absl::IsUnknown(published.status())) {
    outcome(PublicationUnknown{});
    later([this, record = std::move(record), outcome] { settle(record, outcome); });
    return;
  }
  if (const auto stored = store_.read(kJobId); stored.ok()) stored_.version = stored->version;
  outcome(PublicationFailed{published.status().ToString()});
  next();
}

void Publisher::settle(pb::JobRecord record, std::function<void(PublicationOutcome)> outcome) {
  const auto settled = CommitPermit::settle(store_, stored_, record);
  if (settled.ok()) {
    stored_ = {std::move(record), settled->version};
    outcome(settled->permit);
    return next();
  }
  if (absl::IsUnknown(settled.status())) {
    later([this, record = std::move(record), outcome] { settle(record, outcome); });
    return;
  }
  outcome(PublicationFailed{settled.status().ToString()});
  next();
}

}  // namespace weir::simulation
