#include "weir/key_group.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weir {
namespace {

enum class Colour : std::uint8_t { kBlue = 2 };

TEST(KeyGroupTest, HashesNeverChange) {
  EXPECT_EQ(hash_key<std::int64_t>(0), 0xe220a8397b1dcdafu);
  EXPECT_EQ(hash_key<std::int64_t>(1), 0x910a2dec89025cc1u);
  EXPECT_EQ(hash_key<std::int64_t>(-1), 0xe4d971771b652c20u);
  EXPECT_EQ(hash_key<std::string>(""), 0x2d06800538d394c2u);
  EXPECT_EQ(hash_key<std::string>("weir"), stable_hash("weir"));
  EXPECT_EQ(stable_hash("weir"), 0x09831dc741817118u);
  EXPECT_EQ(stable_hash(std::string(1000, 'x')), 0xc0a4877b962cba82u);
}

TEST(KeyGroupTest, AnIntegersHashIsThatOfItsValueWhateverItsWidth) {
  EXPECT_EQ(hash_key<std::int32_t>(-1), hash_key<std::int64_t>(-1));
  EXPECT_EQ(hash_key<std::uint8_t>(7), hash_key<std::int64_t>(7));
  EXPECT_EQ(hash_key<Colour>(Colour::kBlue), hash_key<std::int64_t>(2));
}

TEST(KeyGroupTest, OtherKeysAreHashedByTheirEncodedBytes) {
  const std::pair<std::int32_t, std::string> key(7, "a");
  using Key = std::pair<std::int32_t, std::string>;
  EXPECT_EQ(hash_key<Key>(key), stable_hash(encode(key)));
}

TEST(KeyGroupTest, GroupsNeverChange) {
  EXPECT_EQ(key_group_of(hash_key<std::int64_t>(1), 128), 0x41);
  EXPECT_EQ(key_group_of(hash_key<std::int64_t>(0), 128), 0x2f);
  EXPECT_EQ(key_group_of(0xffffffffffffffff, 1000), 615);
}

TEST(KeyGroupTest, RangesAreFlinks) {
  EXPECT_EQ(key_group_range(0, 3, 128), (KeyGroupRange{0, 42}));
  EXPECT_EQ(key_group_range(1, 3, 128), (KeyGroupRange{43, 85}));
  EXPECT_EQ(key_group_range(2, 3, 128), (KeyGroupRange{86, 127}));
  EXPECT_EQ(key_group_range(0, 1, 128), (KeyGroupRange{0, 127}));
}

TEST(KeyGroupTest, TheRangesOfEveryParallelismCoverEachGroupOnceAndAgreeWithTheSubtask) {
  for (const int max : {1, 2, 7, 128, 1000, kMaxParallelismLimit}) {
    for (const int parallelism : {1, 2, 3, 7, 100, 128, 999, kMaxParallelismLimit}) {
      if (parallelism > max) continue;
      int next = 0;
      for (int subtask = 0; subtask < parallelism; ++subtask) {
        const KeyGroupRange range = key_group_range(subtask, parallelism, max);
        ASSERT_EQ(range.first, next) << parallelism << " of " << max;
        ASSERT_GT(range.size(), 0);
        ASSERT_EQ(subtask_of(range.first, parallelism, max), subtask);
        ASSERT_EQ(subtask_of(range.last, parallelism, max), subtask);
        next = range.last + 1;
      }
      ASSERT_EQ(next, max);
    }
  }
}

TEST(KeyGroupTest, RunningNumbersSpreadEvenly) {
  std::vector<int> count(128);
  for (std::int64_t key = 0; key < 128'000; ++key)
    ++count[key_group_of(hash_key<std::int64_t>(key), 128)];
  for (const int keys : count) {
    EXPECT_GT(keys, 850);
    EXPECT_LT(keys, 1150);
  }
}

}  // namespace
}  // namespace weir
