#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_matchers.h"
#include "taskmanager/state/rocksdb_backend.h"
#include "taskmanager/state/testing/backend_drill.h"
#include "taskmanager/state/testing/memory_storage.h"

namespace weir {

class LocalFolder {
 public:
  LocalFolder() : path_(::testing::TempDir() + "/weir_rocksdb_XXXXXX") {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~LocalFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Databases of one memory budget, and storage for their checkpoints.
class RocksDbBackendTest : public ::testing::Test {
 protected:
  using Result = absl::StatusOr<pb::KeyedStateHandle>;
  static constexpr std::size_t kMiB = 1 << 20;

  std::unique_ptr<KeyedStateBackend> open(std::size_t table_bytes) {
    auto backend = RocksDbBackend::open({.folder = absl::StrCat(folder_.path(), "/", opened_++),
                                         .memory = memory_,
                                         .table_bytes = table_bytes});
    EXPECT_THAT(backend, IsOk());
    return *std::move(backend);
  }
  BackendDrill::Factory factory(std::size_t table_bytes) {
    return [this, table_bytes](int) { return open(table_bytes); };
  }

  Result take(KeyedStateBackend& backend, KeyedStateBase& state, std::int64_t id,
              bool savepoint = false, storage::CheckpointStorage* storage = nullptr) {
    std::promise<Result> done;
    backend.begin_snapshot(state,
                           {.storage = storage != nullptr ? storage : &storage_,
                            .folder = absl::StrCat("job/chk-", id),
                            .shared_folder = "job/shared",
                            .name = "count-0",
                            .checkpoint_id = id,
                            .canonical = savepoint,
                            .savepoint = savepoint},
                           [&](Result result) { done.set_value(std::move(result)); });
    EXPECT_TRUE(state.snapshot_some(1'000'000'000));
    return done.get_future().get();
  }
  static std::uint64_t new_bytes(const pb::KeyedStateHandle& handle, std::int64_t id) {
    std::uint64_t bytes = 0;
    for (const auto& file : handle.files()) {
      const bool is_new = file.path().find(absl::StrCat("-", id, "-")) != std::string::npos;
      bytes += is_new ? file.size_bytes() : 0;
    }
    return bytes;
  }

  LocalFolder folder_;
  MemoryStorage storage_;
  std::shared_ptr<RocksDbMemory> memory_ = std::make_shared<RocksDbMemory>(64 * kMiB, 4);
  int opened_ = 0;
};

}  // namespace weir
