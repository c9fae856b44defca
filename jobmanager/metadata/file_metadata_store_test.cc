#include "jobmanager/metadata/file_metadata_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "absl/strings/escaping.h"
#include "common/status_matchers.h"
#include "common/storage/checksummed_file.h"

namespace weir {
namespace {

using testing::HasSubstr;

// StoredJobRecord, format 1: version 1 of job "j1", written by epoch 1.
constexpr char kStoredRecord[] =
    "080110011801"
    "2211"
    "080112026a312a07435245415445445001";

class FileMetadataStoreTest : public testing::Test {
 protected:
  FileMetadataStoreTest() {
    char pattern[] = "/tmp/weir-metadata-test-XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  ~FileMetadataStoreTest() override { std::filesystem::remove_all(folder_); }

  static pb::JobRecord record(const std::string& job_id = "j1") {
    pb::JobRecord record;
    record.set_format_version(1);
    record.set_job_id(job_id);
    record.set_state("CREATED");
    record.set_next_checkpoint_id(1);
    return record;
  }
  void write_file(const std::string& name, const std::string& payload) {
    std::filesystem::create_directories(std::filesystem::path(folder_ + "/" + name).parent_path());
    ASSERT_THAT(storage::write_checksummed_file(folder_ + "/" + name, payload), IsOk());
  }
  std::string payload_of(const std::string& name) {
    return storage::read_checksummed_file(folder_ + "/" + name).value();
  }

  std::string folder_;
};

TEST_F(FileMetadataStoreTest, ItsFilesHaveTheBytesOfFormat1) {
  const auto store = FileMetadataStore::open(folder_);
  ASSERT_THAT(store, IsOk());
  EXPECT_EQ((*store)->write(record(), 0).value(), 1u);
  EXPECT_EQ(payload_of("leader-epoch"), "1");
  EXPECT_EQ(absl::BytesToHexString(payload_of("jobs/j1")), kStoredRecord);
}

TEST_F(FileMetadataStoreTest, WhatAnEarlierJobManagerWroteIsRead) {
  write_file("leader-epoch", "7");
  write_file("jobs/j1", absl::HexStringToBytes(kStoredRecord));
  const auto store = FileMetadataStore::open(folder_);
  ASSERT_THAT(store, IsOk());
  EXPECT_EQ((*store)->leader_epoch(), LeaderEpoch(8));
  const auto all = (*store)->read_all();
  ASSERT_THAT(all, IsOk());
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ((*all)[0].version, 1u);
  EXPECT_EQ((*all)[0].record.state(), "CREATED");
}

TEST_F(FileMetadataStoreTest, AFormatThatItDoesNotKnowIsRefusedWithTheRemedy) {
  pb::StoredJobRecord later;
  later.set_format_version(2);
  write_file("jobs/j1", later.SerializeAsString());
  const auto store = FileMetadataStore::open(folder_);
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->read_all().status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("jobs/j1 has format 2, this JobManager reads format 1")));
}

TEST_F(FileMetadataStoreTest, AWriteOverAnotherVersionIsRefused) {
  const auto store = FileMetadataStore::open(folder_);
  ASSERT_THAT(store, IsOk());
  EXPECT_EQ((*store)->write(record(), 0).value(), 1u);
  EXPECT_EQ((*store)->write(record(), 1).value(), 2u);
  EXPECT_THAT((*store)->write(record(), 1).status(),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("version 2, not 1")));
}

TEST_F(FileMetadataStoreTest, ARemovedRecordIsGoneAndItsVersionsBeginAnew) {
  const auto store = FileMetadataStore::open(folder_);
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->write(record(), 0), IsOk());
  EXPECT_THAT((*store)->remove("j1"), IsOk());
  EXPECT_THAT((*store)->read("j1").status(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ((*store)->write(record(), 0).value(), 1u);
}

TEST_F(FileMetadataStoreTest, ALibraryIsFoundByItsContentOnly) {
  const auto store = FileMetadataStore::open(folder_);
  ASSERT_THAT(store, IsOk());
  EXPECT_THAT((*store)->library_path("ab").status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("upload it first")));
  EXPECT_THAT((*store)->put_library("ab", "ELF"), IsOk());
  EXPECT_EQ((*store)->library_path("ab").value(), folder_ + "/libraries/ab");
  EXPECT_THAT((*store)->put_library("cd", "ELF"), IsOk());
  EXPECT_THAT((*store)->remove_libraries_except({"cd"}), IsOk());
  EXPECT_THAT((*store)->library_path("ab"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT((*store)->library_path("cd"), IsOk());
}

}  // namespace
}  // namespace weir
