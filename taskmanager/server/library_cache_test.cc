#include "taskmanager/server/library_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

#include "common/status_matchers.h"

namespace weir {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kJob[] = WEIR_TEST_JOBS "/fixture_job.so";
constexpr char kOldJob[] = WEIR_TEST_JOBS "/old_job.so";

class LibraryCacheTest : public testing::Test {
 protected:
  LibraryCacheTest() : folder_(testing::TempDir() + "library_cache_test") {
    fs::remove_all(folder_);
    start();
  }
  ~LibraryCacheTest() override {
    cache_.reset();
    fs::remove_all(folder_);
  }

  void start() {
    cache_ = std::make_unique<LibraryCache>(
        folder_, [this](const std::string&, const std::string& path) -> absl::Status {
          ++fetches_;
          if (!fetch_error_.ok()) return fetch_error_;
          fs::copy_file(job_, path, fs::copy_options::overwrite_existing);
          return absl::OkStatus();
        });
  }

  absl::StatusOr<std::shared_ptr<const JobLibrary>> get(const std::string& sha256,
                                                        const std::string& name = "job.so") {
    std::promise<absl::StatusOr<std::shared_ptr<const JobLibrary>>> loaded;
    cache_->get(sha256, name, [&](auto library) { loaded.set_value(std::move(library)); });
    return loaded.get_future().get();
  }
  static std::string hash_of(const std::string& path) { return sha256_of_file(path).value(); }

  const std::string folder_;
  std::string job_ = kJob;
  absl::Status fetch_error_;
  std::atomic<int> fetches_{0};
  std::unique_ptr<LibraryCache> cache_;
};

TEST_F(LibraryCacheTest, FetchesALibraryOnceAndCallsBackAtOnceFromThenOn) {
  const auto first = get(hash_of(kJob));
  ASSERT_THAT(first, IsOk());
  EXPECT_EQ((*first)->sha256(), hash_of(kJob));
  bool at_once = false;
  cache_->get(hash_of(kJob), "job.so", [&](const auto& again) {
    at_once = true;
    EXPECT_EQ(*again, *first);
  });
  EXPECT_TRUE(at_once);
  EXPECT_EQ(fetches_, 1);
}

TEST_F(LibraryCacheTest, ALibraryLeftByAnotherProcessIsUsedAgain) {
  ASSERT_THAT(get(hash_of(kJob)), IsOk());
  start();
  ASSERT_THAT(get(hash_of(kJob)), IsOk());
  EXPECT_EQ(fetches_, 1);
}

TEST_F(LibraryCacheTest, AnAlteredFileIsFetchedAgain) {
  const std::string file = folder_ + "/" + hash_of(kJob) + "/job.so";
  fs::create_directories(fs::path(file).parent_path());
  std::ofstream(file) << "torn";
  ASSERT_THAT(get(hash_of(kJob)), IsOk());
  EXPECT_EQ(fetches_, 1);
}

TEST_F(LibraryCacheTest, WhatHasAnotherHashIsRefusedAndNotKept) {
  job_ = kOldJob;
  EXPECT_THAT(get(hash_of(kJob)), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("hash")));
  EXPECT_TRUE(fs::is_empty(folder_ + "/" + hash_of(kJob)));
}

TEST_F(LibraryCacheTest, ALibraryOfAnotherAbiIsRefusedForGood) {
  job_ = kOldJob;
  EXPECT_THAT(get(hash_of(kOldJob)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(LibraryCacheTest, AFailedFetchMayBeTriedAgain) {
  fetch_error_ = absl::UnavailableError("no JobManager");
  EXPECT_THAT(get(hash_of(kJob)), StatusIs(absl::StatusCode::kUnavailable));
  fetch_error_ = absl::OkStatus();
  EXPECT_THAT(get(hash_of(kJob)), IsOk());
}

TEST_F(LibraryCacheTest, NothingIsWrittenOutsideTheFolder) {
  EXPECT_THAT(get("../../etc"), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(get(hash_of(kJob), "../../../escaped.so"), IsOk());
  EXPECT_TRUE(fs::exists(folder_ + "/" + hash_of(kJob) + "/escaped.so"));
}

TEST_F(LibraryCacheTest, WhatNobodyHasLoadedForAWeekIsDeletedAtTheNextFetch) {
  ASSERT_THAT(get(hash_of(kJob)), IsOk());
  const auto week_ago = fs::file_time_type::clock::now() - std::chrono::hours(7 * 24 + 1);
  fs::last_write_time(folder_ + "/" + hash_of(kJob), week_ago);
  fs::create_directories(folder_ + "/abandoned");
  fs::last_write_time(folder_ + "/abandoned", week_ago);
  start();  // another process: loads it again
  ASSERT_THAT(get(hash_of(kJob)), IsOk());
  EXPECT_TRUE(fs::exists(folder_ + "/abandoned"));
  job_ = kOldJob;
  (void)get(hash_of(kOldJob));
  EXPECT_FALSE(fs::exists(folder_ + "/abandoned"));
  EXPECT_TRUE(fs::exists(folder_ + "/" + hash_of(kJob)));
}

}  // namespace
}  // namespace weir
