#include "taskmanager/state/hashmap_backend.h"

#include <exception>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "taskmanager/state/canonical_writer.h"
#include "taskmanager/state/entry_buffer.h"
#include "taskmanager/state/restore.h"
#include "taskmanager/state/snapshot_writer.h"

namespace weir {

class HashMapBackend::Snapshot final : public SnapshotWriter {
 public:
  Snapshot(Mailbox& thread, CanonicalWriter writer, SnapshotDone done)
      : SnapshotWriter(thread, CanonicalWriter::kFileBytes),
        writer_(std::move(writer)),
        done_(std::move(done)) {}

 private:
  absl::Status write(EntryBuffer entries) override { return writer_.write(std::move(entries)); }
  void end(absl::Status written) override {
    if (!written.ok()) {
      done_(Annotate(written, absl::StrCat("can't store keyed state in checkpoint ",
                                           writer_.target().checkpoint_id)));
    } else {
      done_(writer_.handle());
    }
  }
  void clean_up() override {}

  CanonicalWriter writer_;
  SnapshotDone done_;
};

HashMapBackend::HashMapBackend(std::shared_ptr<HashMapMemory> memory,
                               std::shared_ptr<LocalCopies> copies)
    : copies_(std::move(copies)), in_memory_(std::move(memory)), writer_({.name = "keyed-state"}) {
  writer_.start();
}

HashMapBackend::~HashMapBackend() {
  writer_.shutdown(Mailbox::Pending::kDrop);
}

absl::Status HashMapBackend::restore(KeyedStateBase& state, std::span<const RestoreSource> sources,
                                     bool allow_non_restored_state) {
  for (const RestoreSource& source : sources) {
    const KeyGroupRange range = restored_range(*source.handle, state);
    if (range.size() == 0) continue;
    if (source.handle->format() != pb::KeyedStateHandle::CANONICAL) {
      return absl::FailedPreconditionError(
          "the checkpoint's keyed state belongs to another state backend: set state.backend.type "
          "to rocksdb, or take a savepoint with it and start from that");
    }
    WEIR_ASSIGN_OR_RETURN(const std::vector<int> numbers,
                          match_tables(*source.handle, state, allow_non_restored_state));
    const auto take = [&](const StateEntry& entry) {
      const int table = numbers[static_cast<std::size_t>(entry.table)];
      if (table < 0) return absl::OkStatus();
      try {
        state.restore(table, entry.key, entry.value);
      } catch (const std::exception& error) {
        return absl::DataLossError(absl::StrCat("can't restore keyed state: ", error.what()));
      }
      return absl::OkStatus();
    };
    WEIR_RETURN_IF_ERROR(read_canonical(source, range, copies_.get(), take));
  }
  return absl::OkStatus();
}

void HashMapBackend::begin_snapshot(KeyedStateBase& state, SnapshotTarget target,
                                    SnapshotDone done) {
  auto next = std::make_shared<Snapshot>(
      writer_, CanonicalWriter(std::move(target), describe_state(state), copies_), std::move(done));
  state.begin_snapshot(*next);  // finishes the last one
  snapshot_ = std::move(next);
}

void HashMapBackend::abandon_snapshot(KeyedStateBase& state) {
  if (!state.snapshot_open()) return;
  state.abandon_snapshot();
  snapshot_->abandon();
  snapshot_.reset();
}

void HashMapBackend::checkpoint_completed(std::int64_t checkpoint_id) {
  if (copies_ != nullptr) copies_->completed(checkpoint_id);
}

void HashMapBackend::checkpoint_aborted(std::int64_t checkpoint_id) {
  if (copies_ != nullptr) copies_->aborted(checkpoint_id);
}

}  // namespace weir
