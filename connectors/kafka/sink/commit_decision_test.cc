#include "connectors/kafka/sink/commit_decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::kafka {
namespace {

using protocol::ErrorCode;
using protocol::TransactionDescription;
using protocol::TransactionState;
using testing::HasSubstr;

const PreparedTransaction kPrepared{"orders:out:1:0:0", 42, 3, {{"a", 0}, {"a", 2}}};

TransactionDescription description(TransactionState state) {
  return {.transactional_id = "orders:out:1:0:0",
          .state = state,
          .producer_id = 42,
          .producer_epoch = 3,
          .topic_partitions = {{"a", 0}, {"a", 2}}};
}

TEST(CommitDecisionTest, EndsTheTransactionThatWasPrepared) {
  EXPECT_EQ(decide_by_description(kPrepared, description(TransactionState::kOngoing)).step,
            CommitStep::kEndTransaction);
}

TEST(CommitDecisionTest, OneThatIsBeingOrIsCommittedIsDone) {
  for (const TransactionState state :
       {TransactionState::kPrepareCommit, TransactionState::kCompleteCommit}) {
    TransactionDescription described = description(state);
    described.topic_partitions.clear();  // the coordinator forgets them when it is complete
    EXPECT_EQ(decide_by_description(kPrepared, described).step, CommitStep::kCommitted);
  }
}

TEST(CommitDecisionTest, AnotherProducerIdOrEpochIsALossThatNamesBoth) {
  TransactionDescription described = description(TransactionState::kCompleteAbort);
  described.producer_epoch = 5;
  const CommitDecision decision = decide_by_description(kPrepared, described);
  EXPECT_EQ(decision.step, CommitStep::kLost);
  EXPECT_THAT(decision.message, HasSubstr("producer id 42 epoch 5 (CompleteAbort)"));
  described = description(TransactionState::kOngoing);
  described.producer_id = 43;
  EXPECT_EQ(decide_by_description(kPrepared, described).step, CommitStep::kLost);
}

TEST(CommitDecisionTest, MorePartitionsThanWerePreparedAreALoss) {
  TransactionDescription described = description(TransactionState::kOngoing);
  described.topic_partitions = {{"a", 0}, {"a", 1}, {"a", 2}};
  const CommitDecision decision = decide_by_description(kPrepared, described);
  EXPECT_EQ(decision.step, CommitStep::kLost);
  EXPECT_THAT(decision.message, HasSubstr("a-0, a-1, a-2 instead of a-0, a-2"));
}

TEST(CommitDecisionTest, AnEmptyTransactionOpenedBehindTheCommitByALateRequestHidesNothing) {
  TransactionDescription described = description(TransactionState::kOngoing);
  described.topic_partitions = {{"a", 0}};
  EXPECT_EQ(decide_by_description(kPrepared, described).step, CommitStep::kCommitted);
}

TEST(CommitDecisionTest, AnAbortedOrEmptyTransactionIsALoss) {
  for (const TransactionState state :
       {TransactionState::kEmpty, TransactionState::kPrepareAbort, TransactionState::kCompleteAbort,
        TransactionState::kPrepareEpochFence, TransactionState::kDead}) {
    EXPECT_EQ(decide_by_description(kPrepared, description(state)).step, CommitStep::kLost);
  }
}

TEST(CommitDecisionTest, AnIdThatTheBrokerForgotIsALoss) {
  TransactionDescription described;
  described.error = ErrorCode::kTransactionalIdNotFound;
  EXPECT_EQ(decide_by_description(kPrepared, described).step, CommitStep::kLost);
}

TEST(CommitDecisionTest, WhatTellsNothingIsRetried) {
  for (const ErrorCode error : {ErrorCode::kCoordinatorLoadInProgress, ErrorCode::kNotCoordinator,
                                ErrorCode::kTransactionalIdAuthorizationFailed}) {
    TransactionDescription described;
    described.error = error;
    EXPECT_EQ(decide_by_description(kPrepared, described).step, CommitStep::kRetry);
    EXPECT_EQ(decide_by_end_error(error).step, CommitStep::kRetry);
  }
  EXPECT_EQ(decide_by_description(kPrepared, description(TransactionState::kUnknown)).step,
            CommitStep::kRetry);
  EXPECT_EQ(decide_by_end_error(ErrorCode::kConcurrentTransactions).step, CommitStep::kRetry);
}

TEST(CommitDecisionTest, EndTxnErrorsThatMeanALoss) {
  EXPECT_EQ(decide_by_end_error(ErrorCode::kNone).step, CommitStep::kCommitted);
  for (const ErrorCode error :
       {ErrorCode::kInvalidProducerEpoch, ErrorCode::kProducerFenced, ErrorCode::kInvalidTxnState,
        ErrorCode::kInvalidProducerIdMapping}) {
    EXPECT_EQ(decide_by_end_error(error).step, CommitStep::kLost);
  }
}

}  // namespace
}  // namespace weir::kafka
