#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/mailbox.h"
#include "jobmanager/checkpoint/commit_permit.h"
#include "jobmanager/metadata/metadata_store.h"

namespace weir {

// The one writer of a job's record: changes are applied strictly one after the other, on its
// mailbox's thread, so that who comes later sees what came before. A write whose outcome is unknown
// is read back until it is known; nothing else happens to the record meanwhile.
//
// Thread-safe. The store and the mailbox outlive it.
class JobRecordWriter {
 public:
  struct Result {
    absl::Status status;
    pb::JobRecord record;  // as it is now, changed or not
    std::optional<CommitPermit> permit;
  };
  // Changes the record, after whatever I/O belongs before it; unless OK nothing is written.
  using Prepare = absl::AnyInvocable<absl::Status(pb::JobRecord& record)>;
  using Done = absl::AnyInvocable<void(Result result)>;  // called on the mailbox's thread

  JobRecordWriter(MetadataStore& store, VersionedJobRecord record, Mailbox& mailbox);

  void update(Prepare prepare, Done done);
  // The same; the record's newest checkpoint becomes the recovery point.
  void publish(Prepare prepare, Done done);
  // I/O that must keep its place among the changes.
  void run(absl::AnyInvocable<void()> task);

 private:
  struct Change {
    Prepare prepare;
    Done done;
    bool recovery_point = false;
    absl::AnyInvocable<void()> task;  // instead of the others
  };

  void enqueue(Change change);
  void advance();
  void write(Change& change);
  void settle();
  void finish(const absl::Status& status, uint64_t version, std::optional<CommitPermit> permit);

  MetadataStore& store_;
  Mailbox& mailbox_;
  // Only on the mailbox's thread:
  VersionedJobRecord current_;
  pb::JobRecord next_;  // being written
  std::deque<Change> changes_;
  bool unsettled_ = false;
};

}  // namespace weir
