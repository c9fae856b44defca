#include "jobmanager/checkpoint/ledger_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "common/status_matchers.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LedgerFileTest : public testing::Test {
 protected:
  LedgerFileTest() {
    char pattern[] = "/tmp/weir-ledger-test-XXXXXX";
    root_ = ::mkdtemp(pattern);
    storage_ = storage::open_checkpoint_storage(root_).value();
  }
  ~LedgerFileTest() override { std::filesystem::remove_all(root_); }

  static pb::TransactionLedger ledger(uint64_t epoch, uint64_t generation) {
    pb::TransactionLedger ledger;
    ledger.set_format_version(1);
    ledger.set_job_id("j");
    ledger.set_leader_epoch(epoch);
    ledger.set_generation_max(generation);
    return ledger;
  }

  std::string root_;
  std::unique_ptr<storage::CheckpointStorage> storage_;
};

TEST_F(LedgerFileTest, AReplacedJobManagerCannotOverwriteWhatItsSuccessorKnows) {
  EXPECT_THAT(write_ledger_file(ledger(9, 1), *storage_, "j"), IsOk());
  EXPECT_THAT(write_ledger_file(ledger(10, 2), *storage_, "j"), IsOk());
  EXPECT_THAT(write_ledger_file(ledger(9, 1), *storage_, "j"), IsOk());
  EXPECT_EQ(read_ledger_file(*storage_, "j")->generation_max(), 2u);
  EXPECT_THAT(write_ledger_file(ledger(10, 3), *storage_, "j"), IsOk());
  EXPECT_THAT(storage_->list("j").value(), ElementsAre("ledger-10"));
}

TEST_F(LedgerFileTest, AFolderThatIsTheStoragesRootHasItsLedgerToo) {
  EXPECT_THAT(read_ledger_file(*storage_, "").status(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(write_ledger_file(ledger(1, 5), *storage_, ""), IsOk());
  EXPECT_EQ(read_ledger_file(*storage_, "")->generation_max(), 5u);
}

TEST_F(LedgerFileTest, AnotherFormatIsRefusedByName) {
  pb::TransactionLedger later = ledger(1, 5);
  later.set_format_version(2);
  EXPECT_THAT(write_ledger_file(later, *storage_, "j"), IsOk());
  EXPECT_THAT(
      read_ledger_file(*storage_, "j").status(),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("j/ledger-1 has format 2")));
}

}  // namespace
}  // namespace weir
