#include "taskmanager/state/local_copies.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_matchers.h"

namespace weir {
namespace {

class LocalCopiesTest : public ::testing::Test {
 protected:
  LocalCopiesTest() { EXPECT_NE(::mkdtemp(root_.data()), nullptr); }
  ~LocalCopiesTest() override { std::filesystem::remove_all(root_); }

  std::string make_file(const std::string& name, const std::string& bytes) {
    std::string path = absl::StrCat(root_, "/", name);
    std::ofstream(path) << bytes;
    return path;
  }
  static std::string bytes_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Files that copies have; each checkpoint has one that is called by it.
  int files() const {
    std::error_code none;
    const std::filesystem::directory_iterator all(copies_folder_, none);
    return static_cast<int>(std::distance(begin(all), end(all)));
  }
  void alter_copies(const std::string& bytes) {
    for (const auto& file : std::filesystem::directory_iterator(copies_folder_)) {
      std::filesystem::remove(file);
      std::ofstream(file.path()) << bytes;
    }
  }
  void write(std::int64_t checkpoint) { copies_.write(checkpoint, url(checkpoint), "bytes"); }
  bool has(std::int64_t checkpoint) { return copies_.read(url(checkpoint), 5).ok(); }
  static std::string url(std::int64_t checkpoint) { return absl::StrCat("file:///c/", checkpoint); }

  std::string root_ = ::testing::TempDir() + "/weir_copies_XXXXXX";
  const std::string copies_folder_ = root_ + "/copies";
  LocalCopies copies_{copies_folder_};
};

TEST_F(LocalCopiesTest, ALinkOutlivesItsFile) {
  const std::string file = make_file("a.sst", "table");
  copies_.link(1, "file:///c/a", file);
  std::filesystem::remove(file);
  const std::string to = root_ + "/b.sst";
  ASSERT_THAT(copies_.link_to("file:///c/a", 5, to), IsOk());
  EXPECT_EQ(bytes_of(to), "table");
  EXPECT_TRUE(absl::IsNotFound(copies_.link_to("file:///c/b", 5, root_ + "/c.sst")));
}

TEST_F(LocalCopiesTest, ALinkOfAnotherSizeIsRefusedAndGone) {
  copies_.link(1, "file:///c/a", make_file("a.sst", "table"));
  alter_copies("tab");
  const std::string to = root_ + "/b.sst";
  EXPECT_TRUE(absl::IsDataLoss(copies_.link_to("file:///c/a", 5, to)));
  EXPECT_FALSE(std::filesystem::exists(to));
}

TEST_F(LocalCopiesTest, AWrittenCopyThatIsAlteredIsRefused) {
  write(1);
  EXPECT_EQ(*copies_.read(url(1), 5), "bytes");
  EXPECT_TRUE(absl::IsDataLoss(copies_.read(url(1), 6).status()));
  alter_copies("other bytes that are altogether longer than its header");
  EXPECT_TRUE(absl::IsDataLoss(copies_.read(url(1), 5).status()));
  EXPECT_TRUE(absl::IsDataLoss(copies_.find_whole(url(1), 5).status()));
}

TEST_F(LocalCopiesTest, ACompletedCheckpointEndsTheOlderOnes) {
  for (std::int64_t checkpoint = 1; checkpoint <= 3; ++checkpoint) write(checkpoint);
  copies_.completed(2);
  EXPECT_FALSE(has(1));
  EXPECT_TRUE(has(2));
  EXPECT_TRUE(has(3));
  copies_.aborted(3);
  EXPECT_FALSE(has(3));
  write(4);
  EXPECT_EQ(files(), 2);  // of 2 and 4
  write(1);               // late
  EXPECT_FALSE(has(1));
}

TEST_F(LocalCopiesTest, CheckpointsWhoseEndNobodyToldDontGatherAndTheRestoredOneStays) {
  write(1);
  EXPECT_TRUE(has(1));  // restored
  for (std::int64_t checkpoint = 2; checkpoint < 20; ++checkpoint) write(checkpoint);
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  EXPECT_LE(files(), 1 + static_cast<int>(LocalCopies::kPendingMost) + 1);
}

TEST_F(LocalCopiesTest, WhatIsForgottenOrEndedLeavesNothingBehind) {
  write(1);
  copies_.forget_all();
  EXPECT_FALSE(has(1));
  EXPECT_EQ(files(), 0);
  {
    LocalCopies others(root_ + "/others");
    others.write(1, url(1), "bytes");
    EXPECT_TRUE(std::filesystem::exists(root_ + "/others"));
  }
  EXPECT_FALSE(std::filesystem::exists(root_ + "/others"));
}

TEST_F(LocalCopiesTest, ACopyThatCantBeMadeIsMissedNotFailed) {
  copies_.link(1, url(1), root_ + "/there-is-none");
  EXPECT_TRUE(absl::IsNotFound(copies_.read(url(1), 5).status()));
}

}  // namespace
}  // namespace weir
