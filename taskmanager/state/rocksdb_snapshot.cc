#include "taskmanager/state/rocksdb_snapshot.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "taskmanager/state/canonical_writer.h"
#include "weir/key_group.h"

namespace weir {

RocksDbSnapshot::RocksDbSnapshot(Backend backend, std::string path, SnapshotTarget target,
                                 pb::KeyedStateHandle description, SnapshotDone done)
    : SnapshotWriter(backend.thread, backend.file_bytes),
      backend_(std::move(backend)),
      path_(std::move(path)),
      target_(std::move(target)),
      description_(std::move(description)),
      done_(std::move(done)) {}

absl::Status RocksDbSnapshot::write(EntryBuffer entries) {
  entries.sort();
  files_.push_back(absl::StrCat(path_, "-", files_.size(), ".sst"));
  return backend_.store.write_file(files_.back(), entries);
}

void RocksDbSnapshot::begin(CutNumber cut) {
  cut_ = cut;
  backend_.applied.begin();
}

void RocksDbSnapshot::clean_up() {
  delete_files();
  backend_.applied.abandon();
}

void RocksDbSnapshot::delete_files() {
  std::error_code ignored;
  for (const std::string& file : files_) std::filesystem::remove(file, ignored);
  std::filesystem::remove_all(links(), ignored);
}

void RocksDbSnapshot::end(absl::Status written) {
  absl::Status status = apply(written);
  if (!status.ok()) {
    // They share their bytes with the database.
    if (absl::IsDataLoss(status) && backend_.copies != nullptr) backend_.copies->forget_all();
    delete_files();
    status = Annotate(status, absl::StrCat("can't take keyed state of checkpoint ",
                                           target_.checkpoint_id, " into its database"));
    backend_.applied.set_failed(status);
    return done_(std::move(status));
  }
  backend_.applied.set(cut_);
  absl::StatusOr<pb::KeyedStateHandle> handle = store();
  delete_files();
  if (!handle.ok()) {
    handle = Annotate(handle.status(), absl::StrCat("can't store keyed state in checkpoint ",
                                                    target_.checkpoint_id));
  }
  done_(std::move(handle));
}

absl::Status RocksDbSnapshot::apply(const absl::Status& written) {
  WEIR_RETURN_IF_ERROR(backend_.applied.failure());
  WEIR_RETURN_IF_ERROR(written);
  WEIR_RETURN_IF_ERROR(backend_.store.ingest(files_));
  return backend_.store.link(links());
}

absl::StatusOr<pb::KeyedStateHandle> RocksDbSnapshot::store() {
  if (target_.canonical) return store_canonical();
  WEIR_ASSIGN_OR_RETURN(pb::KeyedStateHandle handle,
                        upload_database(links(), target_, description_, backend_.shared_files));
  backend_.shared_files.uploaded(target_.checkpoint_id, handle);
  if (backend_.copies != nullptr) keep_database(links(), target_, handle, *backend_.copies);
  return handle;
}

absl::StatusOr<pb::KeyedStateHandle> RocksDbSnapshot::store_canonical() {
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<RocksDbStore> at_cut,
                        RocksDbStore::open(links(), backend_.memory, backend_.file_bytes));
  CanonicalWriter writer(target_, description_, backend_.copies);
  EntryBuffer buffer;
  absl::Status written;
  const auto take = [&](const StateEntry& entry) {
    buffer.add(entry);
    if (buffer.bytes() >= backend_.file_bytes) {
      written = writer.write(std::exchange(buffer, {}));
    }
    return written.ok();
  };
  const KeyGroupRange range{description_.first_key_group(), description_.last_key_group()};
  WEIR_RETURN_IF_ERROR(at_cut->scan_groups(range, take));
  WEIR_RETURN_IF_ERROR(written);
  if (!buffer.empty()) WEIR_RETURN_IF_ERROR(writer.write(std::move(buffer)));
  return writer.handle();
}

}  // namespace weir
