#include "taskmanager/state/rocksdb_backend.h"

#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "common/storage/atomic_file.h"
#include "taskmanager/state/restore.h"
#include "weir/error.h"

namespace weir {
namespace {

bool is_identity(const std::vector<int>& numbers) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != static_cast<int>(i)) return false;
  }
  return true;
}

// The source whose database can become the state's own, and that has most of its key groups; the
// number of sources if there is none.
std::size_t base_of(const std::vector<RestoreSource>& sources,
                    const std::vector<std::vector<int>>& numbers, const KeyedStateBase& state) {
  std::size_t base = sources.size();
  int most = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const int groups = restored_range(*sources[i].handle, state).size();
    if (sources[i].handle->format() != pb::KeyedStateHandle::ROCKSDB || groups <= most) continue;
    if (!is_identity(numbers[i])) continue;
    base = i;
    most = groups;
  }
  return base;
}

absl::Status make_empty_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!error) std::filesystem::create_directories(folder, error);
  if (error) return storage::errno_status(error.value(), "empty", folder);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksDbBackend>> RocksDbBackend::open(RocksDbOptions options) {
  WEIR_RETURN_IF_ERROR(make_empty_folder(options.folder));
  std::unique_ptr<RocksDbBackend> backend(new RocksDbBackend(std::move(options)));
  WEIR_ASSIGN_OR_RETURN(backend->store_,
                        RocksDbStore::open(backend->options_.folder + "/db",
                                           backend->options_.memory, backend->options_.file_bytes));
  return backend;
}

RocksDbBackend::RocksDbBackend(RocksDbOptions options)
    : options_(std::move(options)), writer_({.name = "keyed-state"}) {
  writer_.start();
}

RocksDbBackend::~RocksDbBackend() {
  writer_.shutdown(Mailbox::Pending::kDrop);
  store_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(options_.folder, ignored);
}

const absl::Status& RocksDbBackend::checked(const absl::Status& status) {
  if (absl::IsDataLoss(status) && options_.copies != nullptr) options_.copies->forget_all();
  return status;
}

void RocksDbBackend::throw_if_error(const absl::Status& status) {
  if (!checked(status).ok()) throw Error(std::string(status.message()));
}

std::string RocksDbBackend::next_path() {
  return absl::StrCat(options_.folder, "/part-", files_++);
}

absl::Status RocksDbBackend::restore(KeyedStateBase& state, std::span<const RestoreSource> sources,
                                     bool allow_non_restored_state) {
  return checked(restore_sources(state, sources, allow_non_restored_state));
}

absl::Status RocksDbBackend::restore_sources(KeyedStateBase& state,
                                             std::span<const RestoreSource> sources,
                                             bool allow_non_restored_state) {
  std::vector<RestoreSource> wanted;
  std::vector<std::vector<int>> numbers;
  for (const RestoreSource& source : sources) {
    if (restored_range(*source.handle, state).size() == 0) continue;
    WEIR_ASSIGN_OR_RETURN(numbers.emplace_back(),
                          match_tables(*source.handle, state, allow_non_restored_state));
    wanted.push_back(source);
  }
  const std::size_t base = base_of(wanted, numbers, state);
  if (base < wanted.size()) {
    WEIR_RETURN_IF_ERROR(adopt(wanted[base], restored_range(*wanted[base].handle, state)));
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i == base) continue;
    WEIR_RETURN_IF_ERROR(import(wanted[i], numbers[i], restored_range(*wanted[i].handle, state)));
  }
  try {
    state.attach_backend();
  } catch (const std::exception& error) {
    return absl::DataLossError(absl::StrCat("can't restore keyed state: ", error.what()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RocksDbStore>> RocksDbBackend::open_source(
    const RestoreSource& source, const std::string& folder) {
  if (options_.copies != nullptr) {
    WEIR_RETURN_IF_ERROR(download_database(source, folder, options_.copies.get()));
    auto opened = RocksDbStore::open(folder, options_.memory, options_.file_bytes);
    if (opened.ok()) return opened;
    warn_of_copy(opened.status());
    options_.copies->forget_all();
    WEIR_RETURN_IF_ERROR(make_empty_folder(folder));
  }
  WEIR_RETURN_IF_ERROR(download_database(source, folder, nullptr));
  return RocksDbStore::open(folder, options_.memory, options_.file_bytes);
}

absl::Status RocksDbBackend::adopt(const RestoreSource& source, KeyGroupRange range) {
  store_.reset();
  WEIR_RETURN_IF_ERROR(make_empty_folder(options_.folder));
  WEIR_ASSIGN_OR_RETURN(store_, open_source(source, options_.folder + "/db"));
  if (source.own) shared_files_.restored(*source.handle);
  return store_->erase_groups_outside(range);
}

absl::Status RocksDbBackend::import(const RestoreSource& source, const std::vector<int>& numbers,
                                    KeyGroupRange range) {
  EntryBuffer buffer;
  const auto take = [&](StateEntry entry) -> absl::Status {
    if (static_cast<std::size_t>(entry.table) >= numbers.size()) {
      return absl::DataLossError("the checkpoint's keyed state has an entry of no state");
    }
    entry.table = numbers[static_cast<std::size_t>(entry.table)];
    if (entry.table < 0) return absl::OkStatus();
    buffer.add(entry);
    return buffer.bytes() < options_.file_bytes ? absl::OkStatus()
                                                : ingest(std::exchange(buffer, {}));
  };
  if (source.handle->format() == pb::KeyedStateHandle::CANONICAL) {
    WEIR_RETURN_IF_ERROR(read_canonical(source, range, options_.copies.get(), take));
  } else {
    const std::string folder = next_path();
    WEIR_ASSIGN_OR_RETURN(std::unique_ptr<RocksDbStore> other, open_source(source, folder));
    absl::Status taken;
    WEIR_RETURN_IF_ERROR(other->scan_groups(range, [&](const StateEntry& entry) {
      taken = take(entry);
      return taken.ok();
    }));
    WEIR_RETURN_IF_ERROR(taken);
    other.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  return buffer.empty() ? absl::OkStatus() : ingest(std::move(buffer));
}

absl::Status RocksDbBackend::ingest(EntryBuffer entries) {
  entries.sort();
  const std::string path = next_path() + ".sst";
  WEIR_RETURN_IF_ERROR(store_->write_file(path, entries));
  return store_->ingest({path});
}

void RocksDbBackend::begin_snapshot(KeyedStateBase& state, SnapshotTarget target,
                                    SnapshotDone done) {
  throw_if_error(store_->write_out());
  auto next = std::make_shared<RocksDbSnapshot>(
      RocksDbSnapshot::Backend{writer_, *store_, shared_files_, applied_, options_.memory,
                               options_.file_bytes, options_.copies},
      next_path(), std::move(target), describe_state(state), std::move(done));
  next->begin(state.begin_snapshot(*next));  // finishes the last one
  snapshot_ = std::move(next);
}

void RocksDbBackend::abandon_snapshot(KeyedStateBase& state) {
  if (!state.snapshot_open()) return;
  state.abandon_snapshot();
  snapshot_->abandon();
  snapshot_.reset();
}

void RocksDbBackend::checkpoint_completed(std::int64_t checkpoint_id) {
  shared_files_.completed(checkpoint_id);
  if (options_.copies != nullptr) options_.copies->completed(checkpoint_id);
}

void RocksDbBackend::checkpoint_aborted(std::int64_t checkpoint_id) {
  if (options_.copies != nullptr) options_.copies->aborted(checkpoint_id);
}

void RocksDbBackend::multi_get(int table, std::span<const std::string_view> keys,
                               const std::function<void(std::size_t, std::string_view)>& found) {
  throw_if_error(store_->write_out());
  throw_if_error(store_->multi_get(table, keys, found));
}

void RocksDbBackend::scan(int table, std::string_view first, std::string_view last,
                          const Visitor& visitor) {
  throw_if_error(store_->write_out());
  throw_if_error(store_->scan(table, first, last, [&](const StateEntry& entry) {
    return visitor(entry.key, entry.value);
  }));
}

void RocksDbBackend::put(int table, std::string_view key, std::string_view value) {
  throw_if_error(store_->put(table, key, value));
}

void RocksDbBackend::erase(int table, std::string_view key) {
  throw_if_error(store_->erase(table, key));
}

bool RocksDbBackend::take_lost_cuts() {
  if (!applied_.take_failure()) return false;
  store_->resume();
  return true;
}

void RocksDbBackend::wait_until_applied(CutNumber cut) {
  throw_if_error(applied_.wait_for(cut));
}

}  // namespace weir
