// Restores from copies on the same machine, and from storage when they are no good.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "taskmanager/state/hashmap_backend.h"
#include "taskmanager/state/local_copies.h"
#include "taskmanager/state/testing/rocksdb_backend_fixture.h"
#include "weir/error.h"

namespace weir {
namespace {

constexpr std::int64_t kKeys = 20'000;

class LocalRecoveryTest : public RocksDbBackendTest,
                          public ::testing::WithParamInterface<const char*> {
 protected:
  std::unique_ptr<KeyedStateBackend> open_with_copies() {
    if (std::string(GetParam()) == "hashmap") {
      return std::make_unique<HashMapBackend>(std::make_shared<HashMapMemory>(), copies_);
    }
    return RocksDbBackend::open({.folder = absl::StrCat(folder_.path(), "/", opened_++),
                                 .memory = memory_,
                                 .table_bytes = kMiB,
                                 .copies = copies_})
        .value();
  }
  // Two checkpoints of keys that are their own counts; the second is left.
  pb::KeyedStateHandle take_two() {
    const auto backend = open_with_copies();
    KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
    auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
    const auto write = [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t key = first; key < last; ++key) {
        state.set_current_key(key);
        count.update(key);
      }
    };
    write(0, kKeys - 1000);
    EXPECT_THAT(take(*backend, state, 1), IsOk());
    backend->checkpoint_completed(1);
    write(kKeys - 1000, kKeys);
    Result second = take(*backend, state, 2);
    EXPECT_THAT(second, IsOk());
    backend->checkpoint_completed(2);
    return *second;
  }
  void expect_restored(const pb::KeyedStateHandle& handle, RestoredFiles& files) {
    const auto backend = open_with_copies();
    KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
    auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
    const RestoreSource source{
        .handle = &handle, .storage = &storage_, .own = true, .files = &files};
    ASSERT_THAT(backend->restore(state, {&source, 1}, false), IsOk());
    for (std::int64_t key = 0; key < kKeys; ++key) {
      state.set_current_key(key);
      ASSERT_EQ(count.value_or(-1), key);
    }
  }
  void for_each_copy(const std::function<void(const std::filesystem::path&)>& f) const {
    for (const auto& file : std::filesystem::directory_iterator(copies_folder_)) f(file.path());
  }
  static void alter(const std::filesystem::path& file, std::streamoff at) {
    std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekg(at);
    const int byte = bytes.get();
    bytes.seekp(at);
    bytes.put(static_cast<char>(byte ^ 1));
  }

  const std::string copies_folder_ = folder_.path() + "/copies";
  const std::shared_ptr<LocalCopies> copies_ = std::make_shared<LocalCopies>(copies_folder_);
};

TEST_P(LocalRecoveryTest, ARestartReadsNothingFromStorage) {
  const pb::KeyedStateHandle handle = take_two();
  storage_.files.clear();
  RestoredFiles files;
  expect_restored(handle, files);
  EXPECT_EQ(files.local, static_cast<std::uint64_t>(handle.files_size()));
  EXPECT_GT(files.local_bytes, 10'000u);
  EXPECT_EQ(files.stored, 0u);
  expect_restored(handle, files);  // and once more
}

TEST_P(LocalRecoveryTest, WhatIsMissingComesFromStorage) {
  const pb::KeyedStateHandle handle = take_two();
  for_each_copy([](const auto& file) { std::filesystem::remove(file); });
  RestoredFiles files;
  expect_restored(handle, files);
  EXPECT_EQ(files.local, 0u);
  EXPECT_EQ(files.stored, static_cast<std::uint64_t>(handle.files_size()));
}

TEST_P(LocalRecoveryTest, WhatIsTruncatedComesFromStorage) {
  const pb::KeyedStateHandle handle = take_two();
  for_each_copy([](const auto& file) {
    std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  });
  RestoredFiles files;
  expect_restored(handle, files);
  EXPECT_EQ(files.local, 0u);
}

TEST_P(LocalRecoveryTest, WhatIsAlteredAllOverComesFromStorage) {
  const pb::KeyedStateHandle handle = take_two();
  for_each_copy([](const auto& file) {
    for (std::streamoff at = 100; at < static_cast<std::streamoff>(file_size(file)); at += 1000) {
      alter(file, at);
    }
  });
  RestoredFiles files;
  expect_restored(handle, files);
  EXPECT_GT(files.stored, 0u);
}

TEST_P(LocalRecoveryTest, AfterABlockWasFoundAlteredTheNextRestartReadsStorage) {
  const pb::KeyedStateHandle handle = take_two();
  for_each_copy([](const auto& file) { alter(file, 100); });
  RestoredFiles files;
  try {
    expect_restored(handle, files);
    EXPECT_STREQ(GetParam(), "hashmap");  // its files are looked at as a whole
  } catch (const Error&) {
    EXPECT_GT(files.local, 0u);  // a table's block is looked at when a key in it is
  }
  RestoredFiles again;
  expect_restored(handle, again);
  EXPECT_EQ(again.local, 0u);
}

TEST_P(LocalRecoveryTest, ASavepointLeavesNoCopy) {
  const auto backend = open_with_copies();
  KeyedState<std::int64_t> state(backend->state_backend(), {0, 127}, 128);
  auto count = state.get_state(ValueStateDescriptor<std::int64_t>("count"));
  state.set_current_key(1);
  count.update(1);
  EXPECT_THAT(take(*backend, state, 1, /*savepoint=*/true), IsOk());
  EXPECT_FALSE(std::filesystem::exists(copies_folder_));
}

INSTANTIATE_TEST_SUITE_P(Backends, LocalRecoveryTest, ::testing::Values("hashmap", "rocksdb"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace weir
