#include "taskmanager/state/rocksdb_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "rocksdb/convenience.h"
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/sst_file_writer.h"
#include "rocksdb/table.h"
#include "rocksdb/utilities/checkpoint.h"
#include "rocksdb/write_batch.h"
#include "taskmanager/state/unsynced_file_system.h"
#include "weir/state/state_key.h"

namespace weir {
namespace {

constexpr std::size_t kGroupBytes = 2;
constexpr std::size_t kPrefixBytes = 4;  // key group and table
constexpr std::size_t kBatchBytes = 1 << 20;
constexpr std::size_t kWriteBufferBytes = 32 << 20;

absl::Status status_of(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const std::string text =
      absl::StrCat("RocksDB can't ", std::string(what), ": ", status.ToString());
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError(text +
                                        "; free space, or set io.tmp.dirs to another folder");
  }
  if (status.IsCorruption()) return absl::DataLossError(text + "; restart from a checkpoint");
  return absl::UnavailableError(text + "; check the folder of io.tmp.dirs and its disk");
}

rocksdb::Slice slice_of(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view_of(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

void append_database_key(int table, std::string_view key, std::string& out) {
  out.append(key.substr(0, kGroupBytes));
  internal::append_big_endian(static_cast<std::uint64_t>(table), 2, out);
  out.append(key.substr(kGroupBytes));
}
std::string database_key(int table, std::string_view key) {
  std::string out;
  append_database_key(table, key, out);
  return out;
}

rocksdb::Options options_of(const RocksDbMemory& memory, std::size_t file_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.cache();
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.env = unsynced_env();
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_manager = memory.write_buffers();
  options.write_buffer_size = kWriteBufferBytes;
  options.target_file_size_base = file_bytes;
  options.level_compaction_dynamic_level_bytes = true;
  // A cut is a file of level 0 or a few, over all keys: merged more rarely, and never waited for.
  options.level0_file_num_compaction_trigger = 8;
  options.level0_slowdown_writes_trigger = 1000;
  options.level0_stop_writes_trigger = 2000;
  options.compression = rocksdb::kLZ4Compression;
  options.info_log_level = rocksdb::InfoLogLevel::ERROR_LEVEL;
  options.keep_log_file_num = 1;
  options.avoid_flush_during_shutdown = true;
  options.max_file_opening_threads = 4;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::WriteOptions without_log() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

// The entry of a database key, whose bytes `scratch` holds.
StateEntry entry_of(rocksdb::Iterator& at, std::string& scratch) {
  std::string_view key = view_of(at.key());
  scratch.assign(key.substr(0, kGroupBytes));
  scratch.append(key.substr(kPrefixBytes));
  key.remove_prefix(kGroupBytes);
  return {.table = static_cast<int>(internal::take_big_endian(key, 2)),
          .key = scratch,
          .value = view_of(at.value())};
}

}  // namespace

struct RocksDbStore::Database {
  std::shared_ptr<RocksDbMemory> memory;
  rocksdb::Options options;
  std::string folder;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::WriteBatch batch;

  absl::Status scan(const std::string& first, const std::string& last, Visitor visitor) {
    rocksdb::ReadOptions read;
    const rocksdb::Slice upper = slice_of(last);
    read.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator(read));
    std::string scratch;
    for (at->Seek(slice_of(first)); at->Valid(); at->Next()) {
      if (at->key().size() < kPrefixBytes)
        return absl::DataLossError(folder + " has a key that is too short");
      if (!visitor(entry_of(*at, scratch))) break;
    }
    return status_of(at->status(), "read " + folder);
  }
};

RocksDbStore::RocksDbStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

RocksDbStore::~RocksDbStore() = default;

absl::StatusOr<std::unique_ptr<RocksDbStore>> RocksDbStore::open(
    const std::string& folder, std::shared_ptr<RocksDbMemory> memory, std::size_t file_bytes) {
  auto database = std::make_unique<Database>();
  database->options = options_of(*memory, file_bytes);
  database->memory = std::move(memory);
  database->folder = folder;
  rocksdb::DB* db = nullptr;
  WEIR_RETURN_IF_ERROR(
      status_of(rocksdb::DB::Open(database->options, folder, &db), "open " + folder));
  database->db.reset(db);
  return std::unique_ptr<RocksDbStore>(new RocksDbStore(std::move(database)));
}

absl::Status RocksDbStore::multi_get(int table, std::span<const std::string_view> keys,
                                     absl::FunctionRef<void(std::size_t, std::string_view)> found) {
  std::string bytes;
  std::vector<std::size_t> ends;
  for (const std::string_view key : keys) {
    append_database_key(table, key, bytes);
    ends.push_back(bytes.size());
  }
  std::vector<rocksdb::Slice> wanted;
  for (std::size_t i = 0, start = 0; i < ends.size(); start = ends[i++]) {
    wanted.emplace_back(bytes.data() + start, ends[i] - start);
  }
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  database_->db->MultiGet(rocksdb::ReadOptions(), database_->db->DefaultColumnFamily(), keys.size(),
                          wanted.data(), values.data(), statuses.data());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    WEIR_RETURN_IF_ERROR(status_of(statuses[i], "read " + database_->folder));
    found(i, view_of(values[i]));
  }
  return absl::OkStatus();
}

absl::Status RocksDbStore::scan(int table, std::string_view first, std::string_view last,
                                Visitor visitor) {
  const bool to_the_end = last.substr(0, kGroupBytes) != first.substr(0, kGroupBytes);
  return database_->scan(database_key(table, first),
                         to_the_end ? database_key(table + 1, first.substr(0, kGroupBytes))
                                    : database_key(table, last),
                         visitor);
}

absl::Status RocksDbStore::scan_groups(KeyGroupRange range, Visitor visitor) {
  std::string first, last;
  internal::append_key_group(range.first, first);
  internal::append_key_group(range.last + 1, last);
  return database_->scan(first, last, visitor);
}

absl::Status RocksDbStore::put(int table, std::string_view key, std::string_view value) {
  const std::string where = database_key(table, key);
  WEIR_RETURN_IF_ERROR(
      status_of(database_->batch.Put(slice_of(where), slice_of(value)), "gather a write"));
  return database_->batch.GetDataSize() < kBatchBytes ? absl::OkStatus() : write_out();
}

absl::Status RocksDbStore::erase(int table, std::string_view key) {
  const std::string where = database_key(table, key);
  WEIR_RETURN_IF_ERROR(status_of(database_->batch.Delete(slice_of(where)), "gather a write"));
  return database_->batch.GetDataSize() < kBatchBytes ? absl::OkStatus() : write_out();
}

absl::Status RocksDbStore::write_out() {
  if (database_->batch.Count() == 0) return absl::OkStatus();
  const rocksdb::Status status = database_->db->Write(without_log(), &database_->batch);
  database_->batch.Clear();
  return status_of(status, "write " + database_->folder);
}

absl::Status RocksDbStore::erase_groups_outside(KeyGroupRange range) {
  std::string begin, first, last, end;
  internal::append_key_group(0, begin);
  internal::append_key_group(range.first, first);
  internal::append_key_group(range.last + 1, last);
  internal::append_key_group(kMaxParallelismLimit, end);
  const rocksdb::Slice slices[] = {slice_of(begin), slice_of(first), slice_of(last), slice_of(end)};
  const rocksdb::RangePtr whole_files[] = {{&slices[0], &slices[1]}, {&slices[2], &slices[3]}};
  WEIR_RETURN_IF_ERROR(status_of(
      rocksdb::DeleteFilesInRanges(database_->db.get(), database_->db->DefaultColumnFamily(),
                                   whole_files, 2, false),
      "delete files of " + database_->folder));
  rocksdb::WriteBatch batch;
  rocksdb::Status status = batch.DeleteRange(slice_of(begin), slice_of(first));
  if (status.ok()) status = batch.DeleteRange(slice_of(last), slice_of(end));
  if (status.ok()) status = database_->db->Write(without_log(), &batch);
  return status_of(status, "write " + database_->folder);
}

void RocksDbStore::resume() {
  // What isn't over fails again where it matters.
  database_->db->Resume().PermitUncheckedError();
}

absl::Status RocksDbStore::write_file(const std::string& path, const EntryBuffer& entries) {
  rocksdb::SstFileWriter writer{rocksdb::EnvOptions(), database_->options};
  rocksdb::Status status = writer.Open(path);
  std::string key;
  for (std::size_t i = 0; status.ok() && i < entries.size(); ++i) {
    const StateEntry entry = entries[i];
    key.clear();
    append_database_key(entry.table, entry.key, key);
    status = entry.erased ? writer.Delete(slice_of(key))
                          : writer.Put(slice_of(key), slice_of(entry.value));
  }
  if (status.ok()) status = writer.Finish();
  return status_of(status, "write " + path);
}

absl::Status RocksDbStore::ingest(const std::vector<std::string>& paths) {
  if (paths.empty()) return absl::OkStatus();
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.write_global_seqno = false;
  return status_of(database_->db->IngestExternalFile(paths, options), "ingest " + paths.front());
}

absl::Status RocksDbStore::link(const std::string& folder) {
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(database_->db.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(folder);
  return status_of(status, "link " + folder);
}

}  // namespace weir
