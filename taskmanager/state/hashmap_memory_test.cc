#include "taskmanager/state/hashmap_memory.h"

#include <gmock/gmock.h>

#include "weir/error.h"

namespace weir {
namespace {

using testing::HasSubstr;

constexpr std::size_t kMib = 1 << 20;

TEST(HashMapMemory, AStateThatDoesNotFitIsRefusedByAMessageWithTheRemedy) {
  HashMapMemory memory(100 * kMib);
  memory.replace(0, 60 * kMib);
  memory.replace(0, 30 * kMib);  // another task's
  EXPECT_THAT([&] { memory.replace(30 * kMib, 50 * kMib); },
              testing::ThrowsMessage<Error>(AllOf(HasSubstr("takes 110 MiB"),
                                                  HasSubstr("has 100 MiB"), HasSubstr("rocksdb"))));
}

TEST(HashMapMemory, WhatATaskGivesBackIsThereForOthers) {
  HashMapMemory memory(100 * kMib);
  memory.replace(0, 90 * kMib);
  memory.give_back(90 * kMib);
  memory.replace(0, 90 * kMib);
  EXPECT_EQ(memory.used_bytes(), 90 * kMib);
}

TEST(HashMapMemory, AStateThatShrinksIsNeverRefused) {
  HashMapMemory memory(100 * kMib);
  memory.replace(0, 100 * kMib);
  EXPECT_THROW(memory.replace(0, 20 * kMib), Error);
  EXPECT_NO_THROW(memory.replace(100 * kMib, 90 * kMib));
}

TEST(HashMapMemory, TheLimitLeavesNetworkMemoryAndAReserve) {
  EXPECT_EQ(HashMapMemory::limit_of(4000 * kMib, 400 * kMib), 3200 * kMib);
  EXPECT_EQ(HashMapMemory::limit_of(1000 * kMib, 100 * kMib), 708 * kMib);
  EXPECT_EQ(HashMapMemory::limit_of(200 * kMib, 64 * kMib), 36 * kMib);
  EXPECT_EQ(HashMapMemory::limit_of(64 * kMib, 64 * kMib), 0);
}

}  // namespace
}  // namespace weir
