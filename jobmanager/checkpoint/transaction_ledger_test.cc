#include "jobmanager/checkpoint/transaction_ledger.h"

#include <gtest/gtest.h>

#include "common/status_matchers.h"

namespace weir {
namespace {

pb::CheckpointManifest manifest(int64_t checkpoint, const std::vector<std::string>& transactions) {
  pb::CheckpointManifest manifest;
  manifest.set_checkpoint_id(checkpoint);
  pb::OperatorState* state = manifest.add_operators();
  state->set_uid("out");
  for (const std::string& transaction : transactions) {
    state->add_committables()->set_transaction(transaction);
  }
  return manifest;
}

TEST(TransactionLedgerTest, CommittablesOfACheckpointArePreparedUntilTheirOutcomeIsKnown) {
  TransactionLedger ledger("j");
  ledger.add_checkpoint(manifest(1, {"a"}), 100);
  EXPECT_FALSE(ledger.known_committed("out", "a"));
  EXPECT_EQ(ledger.open_of(CheckpointId(1)), 1u);
  EXPECT_EQ(ledger.oldest_prepared()->changed_time_ms(), 100);
  EXPECT_TRUE(ledger.record_outcome("out", "a", pb::LedgerEntry::COMMITTED, "", 200));
  EXPECT_TRUE(ledger.known_committed("out", "a"));
  EXPECT_EQ(ledger.open_of(CheckpointId(1)), 0u);
  EXPECT_FALSE(ledger.oldest_prepared());
}

TEST(TransactionLedgerTest, AKnownOutcomeIsChangedByHandOnly) {
  TransactionLedger ledger("j");
  ledger.add_checkpoint(manifest(1, {"a"}), 100);
  ledger.record_outcome("out", "a", pb::LedgerEntry::COMMITTED, "", 200);
  EXPECT_FALSE(ledger.record_outcome("out", "a", pb::LedgerEntry::LOST, "late", 300));
  EXPECT_TRUE(ledger.known_committed("out", "a"));
  EXPECT_THAT(ledger.record_by_hand("out", "a", pb::LedgerEntry::ABORTED, "by hand", 300), IsOk());
  EXPECT_FALSE(ledger.known_committed("out", "a"));
  EXPECT_FALSE(ledger.record_outcome("out", "b", pb::LedgerEntry::LOST, "unknown", 300));
}

TEST(TransactionLedgerTest, EntriesStayAsLongAsACheckpointOrSavepointCarriesThem) {
  TransactionLedger ledger("j");
  ledger.add_checkpoint(manifest(1, {"a"}), 100);
  ledger.add_checkpoint(manifest(2, {"a", "b"}), 200);  // carried on
  ledger.record_outcome("out", "a", pb::LedgerEntry::COMMITTED, "", 300);
  EXPECT_EQ(ledger.find("out", "a")->carried_first(), 1);
  EXPECT_EQ(ledger.find("out", "a")->carried_last(), 2);
  ledger.retain({CheckpointId(2), CheckpointId(3)});
  EXPECT_TRUE(ledger.find("out", "a").has_value());
  ledger.retain({CheckpointId(3)});
  EXPECT_FALSE(ledger.find("out", "a").has_value());
  EXPECT_TRUE(ledger.find("out", "b").has_value());  // its outcome isn't known
}

TEST(TransactionLedgerTest, ARecoveryFencesWhatItDoesNotCarry) {
  TransactionLedger ledger("j");
  ledger.add_checkpoint(manifest(1, {"a"}), 100);
  ledger.add_checkpoint(manifest(2, {"a", "b"}), 200);  // a savepoint
  ledger.on_recovered(CheckpointId(1), 300);
  EXPECT_EQ(ledger.find("out", "a")->state(), pb::LedgerEntry::PREPARED);
  EXPECT_EQ(ledger.find("out", "b")->state(), pb::LedgerEntry::LOST);
}

TEST(TransactionLedgerTest, WhatWasWrittenForAPublicationThatNeverHappenedIsDropped) {
  TransactionLedger ledger("j");
  ledger.add_checkpoint(manifest(1, {"a"}), 100);
  ledger.add_checkpoint(manifest(2, {"a", "b"}), 200);
  ledger.drop_unpublished({CheckpointId(1)});
  EXPECT_EQ(ledger.find("out", "a")->carried_last(), 1);
  EXPECT_FALSE(ledger.find("out", "b").has_value());
}

TEST(TransactionLedgerTest, SurvivesItsStoredForm) {
  TransactionLedger ledger("j");
  ledger.add_checkpoint(manifest(1, {"a"}), 100);
  ledger.record_outcome("out", "a", pb::LedgerEntry::COMMITTED, "", 200);
  ledger.raise_generation(Generation(7));
  const TransactionLedger loaded(ledger.to_proto());
  EXPECT_TRUE(loaded.known_committed("out", "a"));
  EXPECT_EQ(loaded.generation_max(), Generation(7));
  EXPECT_EQ(loaded.to_proto().format_version(), 1u);
}

TEST(TransactionLedgerTest, LossesAreKeptWhenTheirCheckpointIsGoneTheYoungestThousand) {
  TransactionLedger ledger("j");
  for (int i = 0; i < 1002; ++i) {
    const std::string transaction = "t" + std::to_string(i);
    ledger.add_checkpoint(manifest(1, {transaction}), 100);
    ledger.record_outcome("out", transaction, pb::LedgerEntry::LOST, "gone", 200 + i);
  }
  ledger.retain({CheckpointId(1)});
  EXPECT_TRUE(ledger.find("out", "t0"));
  ledger.retain({CheckpointId(2)});
  EXPECT_FALSE(ledger.find("out", "t0"));
  EXPECT_FALSE(ledger.find("out", "t1"));
  EXPECT_TRUE(ledger.find("out", "t2"));
  EXPECT_TRUE(ledger.find("out", "t1001"));
}

}  // namespace
}  // namespace weir
