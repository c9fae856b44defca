#include "taskmanager/state/hashmap_backend.h"

#include <atomic>
#include <exception>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/mutex.h"
#include "common/status.h"
#include "taskmanager/state/canonical_writer.h"
#include "taskmanager/state/entry_buffer.h"
#include "taskmanager/state/restore.h"

namespace weir {

// Filled on the task's thread, written on the backend's.
class HashMapBackend::Snapshot final : public SnapshotOutput,
                                       public std::enable_shared_from_this<Snapshot> {
 public:
  Snapshot(Mailbox& thread, SnapshotTarget target, pb::KeyedStateHandle description,
           SnapshotDone done)
      : thread_(thread),
        writer_(std::move(target), std::move(description)),
        done_(std::move(done)) {}

  void put(int table, std::string_view key, std::string_view value) override {
    buffer_.add({.table = table, .key = key, .value = value});
    if (buffer_.bytes() >= CanonicalWriter::kFileBytes) hand_over();
  }
  void erase(int, std::string_view) override {
    WEIR_CHECK(false) << "a full snapshot has no tombstones";
  }
  void finish() override {
    if (!buffer_.empty()) hand_over();
    thread_.post([self = shared_from_this()] { self->end(); });
  }
  void abandon() { abandoned_ = true; }

 private:
  static constexpr int kWaitingMax = 2;

  void hand_over() {
    {
      const MutexLock lock(mutex_);
      while (waiting_ == kWaitingMax) written_.wait(mutex_);
      ++waiting_;
    }
    thread_.post([self = shared_from_this(), buffer = std::exchange(buffer_, {})]() mutable {
      self->write(std::move(buffer));
    });
  }
  void write(EntryBuffer buffer) {
    if (status_.ok() && !abandoned_) status_ = writer_.write(std::move(buffer));
    const MutexLock lock(mutex_);
    --waiting_;
    written_.notify_all();
  }
  void end() {
    if (!status_.ok()) {
      done_(Annotate(status_, absl::StrCat("can't store keyed state in checkpoint ",
                                           writer_.target().checkpoint_id)));
    } else {
      done_(writer_.handle());
    }
  }

  Mailbox& thread_;
  EntryBuffer buffer_;  // task's thread

  CanonicalWriter writer_;  // the backend's thread, as the next two
  absl::Status status_;
  SnapshotDone done_;

  std::atomic<bool> abandoned_{false};
  Mutex mutex_;
  CondVar written_;
  int waiting_ WEIR_GUARDED_BY(mutex_) = 0;  // files handed over and not written
};

HashMapBackend::HashMapBackend() : writer_({.name = "keyed-state"}) {
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
    WEIR_RETURN_IF_ERROR(read_canonical(source, range, take));
  }
  return absl::OkStatus();
}

void HashMapBackend::begin_snapshot(KeyedStateBase& state, SnapshotTarget target,
                                    SnapshotDone done) {
  auto next = std::make_shared<Snapshot>(writer_, std::move(target), describe_state(state),
                                         std::move(done));
  state.begin_snapshot(*next);  // finishes the last one
  snapshot_ = std::move(next);
}

void HashMapBackend::abandon_snapshot(KeyedStateBase& state) {
  if (!state.snapshot_open()) return;
  state.abandon_snapshot();
  snapshot_->abandon();
  snapshot_.reset();
}

}  // namespace weir
