#include "jobmanager/metadata/job_record_writer.h"

#include <chrono>
#include <memory>
#include <utility>

#include "common/log.h"
#include "jobmanager/metadata/read_back.h"

namespace weir {

namespace {
constexpr std::chrono::milliseconds kReadBackInterval{100};
}

JobRecordWriter::JobRecordWriter(MetadataStore& store, VersionedJobRecord record, Mailbox& mailbox)
    : store_(store), mailbox_(mailbox), current_(std::move(record)) {}

void JobRecordWriter::update(Prepare prepare, Done done) {
  enqueue({std::move(prepare), std::move(done), false, nullptr});
}

void JobRecordWriter::publish(Prepare prepare, Done done) {
  enqueue({std::move(prepare), std::move(done), true, nullptr});
}

void JobRecordWriter::run(absl::AnyInvocable<void()> task) {
  enqueue({nullptr, nullptr, false, std::move(task)});
}

void JobRecordWriter::enqueue(Change change) {
  mailbox_.post([this, change = std::move(change)]() mutable {
    changes_.push_back(std::move(change));
    advance();
  });
}

void JobRecordWriter::advance() {
  while (!changes_.empty() && !unsettled_) {
    Change& change = changes_.front();
    if (change.task) {
      change.task();
      changes_.pop_front();
    } else {
      write(change);
    }
  }
}

void JobRecordWriter::write(Change& change) {
  next_ = current_.record;
  if (const absl::Status prepared = change.prepare(next_); !prepared.ok()) {
    return finish(prepared, current_.version, std::nullopt);
  }
  absl::Status status;
  if (change.recovery_point) {
    auto published = CommitPermit::publish(store_, current_, next_);
    if (published.ok()) return finish(absl::OkStatus(), published->version, published->permit);
    status = published.status();
  } else {
    const auto version = store_.write(next_, current_.version);
    if (version.ok()) return finish(absl::OkStatus(), *version, std::nullopt);
    status = version.status();
  }
  if (absl::IsUnknown(status)) {
    unsettled_ = true;
    settle();
  } else {
    finish(status, current_.version, std::nullopt);
  }
}

void JobRecordWriter::settle() {
  absl::Status status;
  if (changes_.front().recovery_point) {
    auto published = CommitPermit::settle(store_, current_, next_);
    if (published.ok()) return finish(absl::OkStatus(), published->version, published->permit);
    status = published.status();
  } else {
    const auto version = read_back(store_, current_, next_);
    if (version.ok()) return finish(absl::OkStatus(), *version, std::nullopt);
    status = version.status();
  }
  if (!absl::IsUnknown(status)) return finish(status, current_.version, std::nullopt);
  WEIR_LOG_WARN(LogContext{}, "job {}: {}; trying again", next_.job_id(),
                std::string(status.message()));
  mailbox_.post_after(kReadBackInterval, [this] {
    settle();
    advance();
  });
}

void JobRecordWriter::finish(const absl::Status& status, uint64_t version,
                             std::optional<CommitPermit> permit) {
  unsettled_ = false;
  if (status.ok()) current_ = {next_, version};
  Change change = std::move(changes_.front());
  changes_.pop_front();
  if (change.done) change.done({status, current_.record, std::move(permit)});
}

}  // namespace weir
