#include "jobmanager/metadata/job_record_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/status_matchers.h"
#include "jobmanager/metadata/fake_metadata_store.h"

namespace weir {
namespace {

using WriteFault = FakeMetadataStore::WriteFault;
using testing::ElementsAre;

class JobRecordWriterTest : public testing::Test {
 protected:
  static VersionedJobRecord store_new_record(MetadataStore& store) {
    pb::JobRecord record;
    record.set_job_id("j");
    return {record, store.write(record, 0).value()};
  }
  static JobRecordWriter::Prepare add_checkpoint(int64_t id) {
    return [id](pb::JobRecord& record) {
      record.add_checkpoints()->set_checkpoint_id(id);
      return absl::OkStatus();
    };
  }
  void publish(int64_t id) {
    writer_.publish(add_checkpoint(id), [this](JobRecordWriter::Result result) {
      results_.push_back(std::move(result));
    });
  }
  std::vector<int64_t> stored_checkpoints() {
    std::vector<int64_t> ids;
    const VersionedJobRecord stored = store_.read("j").value();
    for (const auto& pointer : stored.record.checkpoints()) ids.push_back(pointer.checkpoint_id());
    return ids;
  }

  FakeMetadataStore store_;
  ManualClock clock_;
  Mailbox mailbox_{{.name = "writer", .clock = &clock_}};
  JobRecordWriter writer_{store_, store_new_record(store_), mailbox_};
  std::vector<JobRecordWriter::Result> results_;
};

TEST_F(JobRecordWriterTest, APublicationMakesAPermit) {
  publish(1);
  mailbox_.run_pending();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_THAT(results_[0].status, IsOk());
  ASSERT_TRUE(results_[0].permit.has_value());
  EXPECT_EQ(results_[0].permit->checkpoint(), CheckpointId(1));
}

TEST_F(JobRecordWriterTest, AWriteThatWasDoneThoughItsAnswerWasLostMakesAPermit) {
  store_.fail_next_write(WriteFault::kUnknownWritten);
  publish(1);
  mailbox_.run_pending();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_THAT(results_[0].status, IsOk());
  EXPECT_TRUE(results_[0].permit.has_value());
  EXPECT_THAT(stored_checkpoints(), ElementsAre(1));
}

TEST_F(JobRecordWriterTest, AWriteThatWasNotDoneMakesNoPermitAndTheNextChangeGoesOnFromBefore) {
  store_.fail_next_write(WriteFault::kUnknownNotWritten);
  publish(1);
  publish(2);
  mailbox_.run_pending();
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_THAT(results_[0].status, StatusIs(absl::StatusCode::kAborted));
  EXPECT_FALSE(results_[0].permit.has_value());
  EXPECT_TRUE(results_[1].permit.has_value());
  EXPECT_THAT(stored_checkpoints(), ElementsAre(2));
}

TEST_F(JobRecordWriterTest, NothingHappensToTheRecordUntilAnUnknownOutcomeIsKnown) {
  store_.fail_next_write(WriteFault::kUnknownWritten);
  store_.fail_reads(true);
  publish(1);
  publish(2);
  mailbox_.run_pending();
  clock_.advance(std::chrono::seconds(1));
  mailbox_.run_pending();
  EXPECT_TRUE(results_.empty());
  store_.fail_reads(false);
  EXPECT_THAT(stored_checkpoints(), ElementsAre(1));
  clock_.advance(std::chrono::seconds(1));
  mailbox_.run_pending();
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_EQ(results_[0].permit->checkpoint(), CheckpointId(1));
  EXPECT_EQ(results_[1].permit->checkpoint(), CheckpointId(2));
  EXPECT_THAT(stored_checkpoints(), ElementsAre(1, 2));
}

TEST_F(JobRecordWriterTest, AFullStoreFailsTheChangeAndLeavesTheRecord) {
  store_.fail_next_write(WriteFault::kFail);
  publish(1);
  mailbox_.run_pending();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_THAT(results_[0].status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(results_[0].record.checkpoints_size(), 0);
  EXPECT_TRUE(stored_checkpoints().empty());
}

}  // namespace
}  // namespace weir
