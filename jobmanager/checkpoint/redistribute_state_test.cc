#include "jobmanager/checkpoint/redistribute_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "weir/key_group.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

// Of an operator "count" at a parallelism; each subtask has a handle and two lists.
pb::CheckpointManifest checkpoint_of(int parallelism, int max_parallelism, int items_per_subtask) {
  pb::CheckpointManifest checkpoint;
  (*checkpoint.mutable_parallelism())["count"] = parallelism;
  for (int subtask = parallelism - 1; subtask >= 0; --subtask) {
    pb::OperatorState* state = checkpoint.add_operators();
    state->set_uid("count");
    state->set_subtask(subtask);
    state->set_writer_state("w" + std::to_string(subtask));
    const KeyGroupRange range = key_group_range(subtask, parallelism, max_parallelism);
    pb::KeyedStateHandle* handle = state->add_keyed();
    handle->set_first_key_group(range.first);
    handle->set_last_key_group(range.last);
    pb::OperatorListState* split = state->add_lists();
    split->set_name("offsets");
    pb::OperatorListState* all = state->add_lists();
    all->set_name("rules");
    all->set_redistribution(pb::OperatorListState::UNION);
    for (int item = 0; item < items_per_subtask; ++item) {
      split->add_items(std::to_string(subtask) + "/" + std::to_string(item));
      all->add_items(std::to_string(subtask) + "/" + std::to_string(item));
    }
  }
  return checkpoint;
}

// Every key group is covered by exactly one of the handles, and no handle is for nothing.
void expect_each_key_group_once(const pb::OperatorState& state, KeyGroupRange own) {
  for (int group = own.first; group <= own.last; ++group) {
    EXPECT_EQ(std::count_if(state.keyed().begin(), state.keyed().end(),
                            [&](const auto& handle) {
                              return handle.first_key_group() <= group &&
                                     group <= handle.last_key_group();
                            }),
              1)
        << "key group " << group;
  }
  for (const pb::KeyedStateHandle& handle : state.keyed()) {
    EXPECT_GT(intersection(own, {handle.first_key_group(), handle.last_key_group()}).size(), 0);
  }
}

TEST(RedistributeStateTest, EveryKeyGroupAndItemComesBackExactlyOnceAtAnyParallelism) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto up_to = [&](int n) { return 1 + static_cast<int>(random() % unsigned(n)); };
    const int max_parallelism = up_to(200);
    const int before = up_to(std::min(max_parallelism, 40));
    const int after = up_to(std::min(max_parallelism, 40));
    const int items = static_cast<int>(random() % 4);
    const pb::CheckpointManifest checkpoint = checkpoint_of(before, max_parallelism, items);
    std::vector<std::string> all_items;
    for (int i = before - 1; i >= 0; --i) {
      const auto& list = checkpoint.operators(i).lists(0).items();
      all_items.insert(all_items.end(), list.begin(), list.end());
    }
    std::vector<std::string> split_items;
    int key_groups = 0;
    for (int subtask = 0; subtask < after; ++subtask) {
      const auto state = redistribute_state(checkpoint, "count", {subtask, after, max_parallelism});
      ASSERT_TRUE(state.has_value());
      const KeyGroupRange own = key_group_range(subtask, after, max_parallelism);
      key_groups += own.size();
      expect_each_key_group_once(*state, own);
      ASSERT_EQ(state->lists_size(), 2);
      const auto& part = state->lists(0).items();
      split_items.insert(split_items.end(), part.begin(), part.end());
      EXPECT_LE(part.size(), before * items / after + 1);
      EXPECT_THAT(state->lists(1).items(), ElementsAreArray(all_items));
    }
    EXPECT_EQ(key_groups, max_parallelism);
    EXPECT_THAT(split_items, ElementsAreArray(all_items));
  }
}

TEST(RedistributeStateTest, AtTheSameParallelismEverySubtaskGetsItsOwn) {
  pb::CheckpointManifest checkpoint = checkpoint_of(2, 128, 1);
  checkpoint.mutable_operators(0)->mutable_lists(0)->add_items("one more");
  const auto state = redistribute_state(checkpoint, "count", {1, 2, 128});
  ASSERT_EQ(state->keyed_size(), 1);
  EXPECT_EQ(state->keyed(0).first_key_group(), 64);
  EXPECT_THAT(state->lists(0).items(), ElementsAre("1/0", "one more"));
  EXPECT_EQ(state->writer_state(), "w1");
}

TEST(RedistributeStateTest, AnAddedSubtaskGetsNoWriterState) {
  const auto state = redistribute_state(checkpoint_of(1, 128, 0), "count", {1, 2, 128});
  EXPECT_EQ(state->writer_state(), "");
  EXPECT_EQ(state->keyed_size(), 1);
}

TEST(RedistributeStateTest, WhatBelongsToCoordinatorsIsLeftOut) {
  pb::CheckpointManifest checkpoint = checkpoint_of(1, 128, 0);
  checkpoint.mutable_operators(0)->add_splits()->set_id("in-0");
  checkpoint.mutable_operators(0)->add_committables()->set_transaction("t");
  const auto state = redistribute_state(checkpoint, "count", {0, 1, 128});
  EXPECT_THAT(state->splits(), IsEmpty());
  EXPECT_THAT(state->committables(), IsEmpty());
}

TEST(RedistributeStateTest, AnOperatorThatTheCheckpointDoesntKnowGetsNothing) {
  EXPECT_EQ(redistribute_state(checkpoint_of(1, 128, 0), "new", {0, 1, 128}), std::nullopt);
}

// Records in flight between every two subtasks of "map" and "count"; a file and a part at each end.
pb::CheckpointManifest in_flight_checkpoint(int producers, int consumers, int max_parallelism) {
  pb::CheckpointManifest checkpoint;
  (*checkpoint.mutable_parallelism())["count"] = consumers;
  checkpoint.set_max_parallelism(max_parallelism);
  const auto add = [&](const std::string& uid, int subtask, bool at_producer) {
    pb::OperatorState* state = checkpoint.add_operators();
    state->set_uid(uid);
    state->set_subtask(subtask);
    pb::InFlightHandle& handle = *state->mutable_in_flight();
    handle.add_files()->set_path(uid + std::to_string(subtask));
    for (int other = 0; other < (at_producer ? consumers : producers); ++other) {
      pb::InFlightHandle::Stream& stream = *handle.add_streams();
      stream.set_producer("map");
      stream.set_consumer("count");
      stream.set_producer_subtask(at_producer ? subtask : other);
      stream.set_consumer_subtask(at_producer ? other : subtask);
      stream.set_at_producer(at_producer);
      stream.set_by_key(true);
    }
  };
  for (int i = 0; i < producers; ++i) add("map", i, true);
  for (int i = 0; i < consumers; ++i) add("count", i, false);
  return checkpoint;
}

struct RestoredChannelName {
  int producer = 0;
  int consumer = 0;
};
// By its parts: what the consumer had comes first.
RestoredChannelName name_of(const pb::RestoredChannel& channel) {
  EXPECT_EQ(channel.parts_size(), 2);
  const std::string consumer_file = channel.parts(0).files(0);
  const std::string producer_file = channel.parts(1).files(0);
  EXPECT_TRUE(consumer_file.starts_with("count") && producer_file.starts_with("map"));
  const RestoredChannelName name{std::stoi(producer_file.substr(3)),
                                 std::stoi(consumer_file.substr(5))};
  EXPECT_EQ(channel.parts(0).stream(), name.producer);
  EXPECT_EQ(channel.parts(1).stream(), name.consumer);
  return name;
}

TEST(RedistributeInFlightTest, EveryRecordComesToTheOneSubtaskThatTakesIt) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto up_to = [&](int n) { return 1 + static_cast<int>(random() % unsigned(n)); };
    const int max_parallelism = up_to(100);
    const int producers = up_to(5);
    const int before = up_to(std::min(max_parallelism, 12));
    const int after = up_to(std::min(max_parallelism, 12));
    const auto checkpoint = in_flight_checkpoint(producers, before, max_parallelism);
    std::vector<int> by_key(producers * max_parallelism);  // how often a producer's group comes
    std::vector<int> in_turn(producers * before);
    for (int subtask = 0; subtask < after; ++subtask) {
      const RestoringSubtask to{subtask, after, max_parallelism};
      const KeyGroupRange own = key_group_range(subtask, after, max_parallelism);
      for (const auto& channel :
           redistribute_in_flight(checkpoint, {"map", 0, "count", true}, to)) {
        const auto [producer, consumer] = name_of(channel);
        const KeyGroupRange taken =
            intersection(own, key_group_range(consumer, before, max_parallelism));
        EXPECT_GT(taken.size(), 0);
        for (int group = taken.first; group <= taken.last; ++group) {
          ++by_key[producer * max_parallelism + group];
        }
      }
      for (const auto& channel :
           redistribute_in_flight(checkpoint, {"map", 0, "count", false}, to)) {
        const auto [producer, consumer] = name_of(channel);
        ++in_turn[producer * before + consumer];
      }
    }
    EXPECT_THAT(by_key, testing::Each(1));
    EXPECT_THAT(in_turn, testing::Each(1));
  }
}

TEST(RedistributeInFlightTest, AnotherEdgeGetsNothing) {
  const auto checkpoint = in_flight_checkpoint(2, 2, 8);
  const RestoringSubtask to{0, 1, 8};
  EXPECT_THAT(redistribute_in_flight(checkpoint, {"map", 1, "count", true}, to), IsEmpty());
  EXPECT_THAT(redistribute_in_flight(checkpoint, {"lines", 0, "count", true}, to), IsEmpty());
  EXPECT_THAT(redistribute_in_flight(checkpoint, {"map", 0, "sum", true}, to), IsEmpty());
}

TEST(RedistributeInFlightTest, AnEdgeThatWasNotKeyedAndIsNowGoesToAllOfWhomEachTakesItsKeys) {
  auto checkpoint = in_flight_checkpoint(1, 2, 8);
  for (pb::OperatorState& state : *checkpoint.mutable_operators()) {
    for (auto& stream : *state.mutable_in_flight()->mutable_streams()) stream.set_by_key(false);
  }
  for (int subtask = 0; subtask < 4; ++subtask) {
    EXPECT_EQ(redistribute_in_flight(checkpoint, {"map", 0, "count", true}, {subtask, 4, 8}).size(),
              2u);
  }
}

}  // namespace
}  // namespace weir
