#include "connectors/kafka/sink/missing_markers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::kafka {
namespace {

using protocol::ActiveProducer;
using protocol::PartitionProducers;
using protocol::TopicPartition;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const TopicPartition kOne{"out", 1};
const TopicPartition kTwo{"out", 2};

std::vector<DecidedTransaction> transaction(bool committed) {
  return {{.transactional_id = "p:s:1:0:0",
           .producer_id = 7,
           .producer_epoch = 3,
           .committed = committed}};
}

PartitionProducers open_in(const TopicPartition& partition, std::int64_t producer_id,
                           std::int32_t epoch, std::int64_t start_offset) {
  return {.partition = partition,
          .producers = {ActiveProducer{.producer_id = producer_id,
                                       .producer_epoch = epoch,
                                       .coordinator_epoch = -1,
                                       .transaction_start_offset = start_offset}}};
}

TEST(MissingMarkersTest, APartitionWhereTheTransactionIsStillOpenMissesItsMarker) {
  const auto missing = missing_markers(transaction(true), {open_in(kOne, 7, 3, -1),  //
                                                           open_in(kTwo, 7, 3, 40)});
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_EQ(missing[0].partition, kTwo);
  EXPECT_EQ(missing[0].marker.producer_id, 7);
  EXPECT_EQ(missing[0].marker.producer_epoch, 3);
  EXPECT_EQ(missing[0].marker.coordinator_epoch, 0);
  EXPECT_TRUE(missing[0].marker.commit);
}

TEST(MissingMarkersTest, AnAbortMarkerRaisesTheEpoch) {
  const auto missing = missing_markers(transaction(false), {open_in(kOne, 7, 3, 40)});
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_EQ(missing[0].marker.producer_epoch, 4);
  EXPECT_FALSE(missing[0].marker.commit);
}

TEST(MissingMarkersTest, OtherProducersAndTransactionsAreLeftAlone) {
  for (const bool committed : {true, false}) {
    EXPECT_THAT(missing_markers(transaction(committed), {open_in(kOne, 8, 3, 40)}), IsEmpty());
    EXPECT_THAT(missing_markers(transaction(committed), {open_in(kOne, 7, 4, 40)}), IsEmpty());
  }
  EXPECT_THAT(missing_markers(transaction(true), {open_in(kOne, 7, 2, 40)}), IsEmpty());
}

TEST(MissingMarkersTest, WhatAFencedProducerLeftOpenEarlierIsAbortedToo) {
  const auto missing = missing_markers(transaction(false), {open_in(kOne, 7, 2, 40)});
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_EQ(missing[0].marker.producer_epoch, 4);
}

protocol::ClusterMetadata metadata(std::int32_t leader_of_one, std::int32_t epoch_of_one) {
  protocol::TopicMetadata out;
  out.name = "out";
  out.partitions = {{.partition = 0, .leader = 1, .leader_epoch = 9},
                    {.partition = 1, .leader = leader_of_one, .leader_epoch = epoch_of_one},
                    {.partition = 2, .leader = 2, .leader_epoch = 5}};
  protocol::ClusterMetadata cluster;
  cluster.topics.push_back(std::move(out));
  return cluster;
}

bool led(const protocol::ClusterMetadata& before, const protocol::ClusterMetadata& after) {
  const std::vector<TopicPartition> partitions{kOne, kTwo};
  return led_throughout(leader_epochs(before, partitions), leader_epochs(after, partitions),
                        partitions);
}

TEST(MissingMarkersTest, OnlyLeadersThatStayedProveTheMarkers) {
  EXPECT_TRUE(led(metadata(1, 4), metadata(1, 4)));
  EXPECT_FALSE(led(metadata(1, 4), metadata(1, 6)));
  EXPECT_FALSE(led(metadata(1, 4), metadata(-1, 5)));
  EXPECT_FALSE(led(metadata(-1, 5), metadata(-1, 5)));
  EXPECT_FALSE(led({}, {}));
}

}  // namespace
}  // namespace weir::kafka
