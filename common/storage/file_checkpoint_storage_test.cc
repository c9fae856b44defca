#include "common/storage/file_checkpoint_storage.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/fault_point.h"
#include "common/status_matchers.h"
#include "common/storage/atomic_file.h"

namespace weir::storage {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FileCheckpointStorageTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/weir_storage_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    auto storage = open_checkpoint_storage("file://" + root_);
    ASSERT_THAT(storage, IsOk());
    storage_ = *std::move(storage);
  }
  void TearDown() override {
    ASSERT_THAT(fault_points_configure("", ""), IsOk());
    std::filesystem::remove_all(root_);
  }

  std::vector<std::string> all_files() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
      if (entry.is_regular_file()) files.push_back(entry.path().filename().string());
    }
    return files;
  }

  std::string root_;
  std::unique_ptr<CheckpointStorage> storage_;
};

TEST_F(FileCheckpointStorageTest, WhatIsWrittenIsReadBack) {
  ASSERT_THAT(storage_->write_atomically("job/chk-1/manifest", "one"), IsOk());
  ASSERT_THAT(storage_->write_atomically("job/chk-1/manifest", "two"), IsOk());
  EXPECT_EQ(*storage_->read("job/chk-1/manifest"), "two");
  EXPECT_TRUE(*storage_->exists("job/chk-1/manifest"));
  EXPECT_FALSE(*storage_->exists("job/chk-2/manifest"));
  EXPECT_EQ(storage_->url_of("job/chk-1"), "file://" + root_ + "/job/chk-1");
  EXPECT_THAT(all_files(), ElementsAre("manifest"));
}

TEST_F(FileCheckpointStorageTest, PartsOfAFileAreReadAloneAndNothingBehindItsEnd) {
  ASSERT_THAT(storage_->write_atomically("f", "0123456789"), IsOk());
  EXPECT_EQ(*storage_->read_range("f", 3, 4), "3456");
  EXPECT_EQ(*storage_->read_range("f", 0, 10), "0123456789");
  EXPECT_EQ(*storage_->read_range("f", 10, 0), "");
  EXPECT_THAT(storage_->read_range("f", 7, 4),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is truncated")));
  EXPECT_THAT(storage_->read_range("f", uint64_t{1} << 60, 4),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(storage_->read_range("g", 0, 1), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(FileCheckpointStorageTest, ListIsSortedAndEmptyWithoutAFolder) {
  ASSERT_THAT(storage_->write_atomically("job/b", ""), IsOk());
  ASSERT_THAT(storage_->write_atomically("job/a", ""), IsOk());
  ASSERT_THAT(storage_->write_atomically("job/c/d", ""), IsOk());
  std::ofstream(root_ + "/job/.tmp-1-0-x") << "left by a process that died";
  EXPECT_THAT(*storage_->list("job"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(*storage_->list("none"), IsEmpty());
  EXPECT_THAT(*storage_->list_unfinished("job"), ElementsAre(".tmp-1-0-x"));
  EXPECT_THAT(*storage_->list_unfinished("none"), IsEmpty());
}

TEST_F(FileCheckpointStorageTest, DeletingTwiceIsFine) {
  ASSERT_THAT(storage_->write_atomically("job/chk-1/a", ""), IsOk());
  ASSERT_THAT(storage_->write_atomically("job/chk-1/b", ""), IsOk());
  EXPECT_THAT(storage_->delete_file("job/chk-1/a"), IsOk());
  EXPECT_THAT(storage_->delete_file("job/chk-1/a"), IsOk());
  EXPECT_THAT(storage_->delete_folder("job/chk-1"), IsOk());
  EXPECT_THAT(storage_->delete_folder("job/chk-1"), IsOk());
  EXPECT_THAT(*storage_->list("job"), IsEmpty());
  EXPECT_THAT(storage_->delete_folder(""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(FileCheckpointStorageTest, AMissingFileIsNotFoundAndATornOneDataLoss) {
  EXPECT_THAT(storage_->read("none"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("/none")));
  ASSERT_THAT(storage_->write_atomically("m", std::string(4064, 'x')), IsOk());
  std::filesystem::resize_file(root_ + "/m", 120);
  EXPECT_THAT(storage_->read("m"),
              StatusIs(absl::StatusCode::kDataLoss,
                       "checkpoint file " + root_ + "/m is truncated: 120 of 4096 bytes"));
}

TEST_F(FileCheckpointStorageTest, PathsStayBelowTheRoot) {
  for (const char* path : {"../x", "a/../../x", "/etc/passwd"}) {
    EXPECT_THAT(storage_->write_atomically(path, ""), StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(storage_->read(path), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST_F(FileCheckpointStorageTest, AnErrorBeforeTheRenameKeepsTheOldFileAndLeavesNothingBehind) {
  ASSERT_THAT(storage_->write_atomically("m", "old"), IsOk());
  for (const char* point : {"storage.written_not_synced", "storage.synced_not_renamed"}) {
    ASSERT_THAT(fault_points_configure(std::string(point) + "=error", ""), IsOk());
    EXPECT_FALSE(storage_->write_atomically("m", "new").ok());
    EXPECT_EQ(*storage_->read("m"), "old");
    EXPECT_THAT(all_files(), ElementsAre("m"));
  }
  ASSERT_THAT(fault_points_configure("storage.renamed_not_durable=error", ""), IsOk());
  EXPECT_FALSE(storage_->write_atomically("m", "new").ok());
  EXPECT_EQ(*storage_->read("m"), "new");  // the outcome was unknown; it is read back
}

TEST_F(FileCheckpointStorageTest, AProcessKilledWhileWritingLeavesTheOldFileOrTheNew) {
  ASSERT_THAT(storage_->write_atomically("m", "old"), IsOk());
  const struct {
    const char* point;
    const char* content;
  } kCases[] = {{"storage.written_not_synced", "old"},
                {"storage.synced_not_renamed", "old"},
                {"storage.renamed_not_durable", "new"}};
  for (const auto& [point, content] : kCases) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (!fault_points_configure(std::string(point) + "=kill", "").ok()) ::_exit(1);
      ::_exit(storage_->write_atomically("m", "new").ok() ? 2 : 3);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << point;
    EXPECT_EQ(*storage_->read("m"), content) << point;
    EXPECT_THAT(*storage_->list(""), ElementsAre("m"));
  }
}

// A file system of 64 KiB, when the user may mount one.
TEST_F(FileCheckpointStorageTest, AFullOrReadOnlyFileSystemIsSaidSo) {
  if (::mount("tmpfs", root_.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "mounting isn't allowed here";
  }
  ASSERT_THAT(storage_->write_atomically("small", "x"), IsOk());
  EXPECT_THAT(storage_->write_atomically("large", std::string(1 << 20, 'x')),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr(root_ + "/large: No space left on device"),
                             HasSubstr("free space there"))));
  EXPECT_THAT(all_files(), ElementsAre("small"));
  ASSERT_THAT(storage_->write_atomically("another", "x"), IsOk());
  EXPECT_EQ(::mount("", root_.c_str(), "", MS_REMOUNT | MS_RDONLY, ""), 0);
  EXPECT_THAT(storage_->write_atomically("m", "x"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(root_ + "/m: Read-only file system"),
                             HasSubstr("mount it writable"))));
  EXPECT_EQ(::umount(root_.c_str()), 0);
}

TEST_F(FileCheckpointStorageTest, AFolderThatIsAFileIsNamed) {
  std::ofstream(root_ + "/file") << "x";
  EXPECT_THAT(storage_->write_atomically("file/m", "x"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr(root_ + "/file")));
}

TEST(ErrnoStatus, NamesFileCauseAndRemedy) {
  EXPECT_THAT(
      errno_status(EACCES, "write", "/c/m"),
      StatusIs(absl::StatusCode::kPermissionDenied,
               AllOf(HasSubstr("can't write /c/m: Permission denied"), HasSubstr("user id"))));
  EXPECT_THAT(errno_status(EIO, "sync", "/c/m"),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("can't sync /c/m: Input/output error"), HasSubstr("disk"))));
}

TEST(OpenCheckpointStorage, TakesFileAddressesAndAbsolutePathsOnly) {
  EXPECT_EQ((*open_checkpoint_storage("file:///c/d/"))->url_of("m"), "file:///c/d/m");
  EXPECT_EQ((*open_checkpoint_storage("file:/c/d"))->url_of("m"), "file:///c/d/m");
  EXPECT_EQ((*open_checkpoint_storage("/c/d"))->url_of("m"), "file:///c/d/m");
  EXPECT_THAT(open_checkpoint_storage("s3://bucket/x"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("the scheme 's3' isn't supported"), HasSubstr("file://"))));
  EXPECT_THAT(open_checkpoint_storage("c/d"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(open_checkpoint_storage(""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SplitAddressTest, CutsOffAsManyComponentsAsThePathHas) {
  const auto file = split_address("file:///c/job/chk-7/state-1", 2);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->root, "file:///c/job");
  EXPECT_EQ(file->path, "chk-7/state-1");
  EXPECT_EQ(split_address("/c/job", 1)->path, "job");
  EXPECT_THAT(split_address("job", 1).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'job'")));
  EXPECT_THAT(split_address("/job", 2).status(), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace weir::storage
