#include "taskmanager/state/entry_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace weir {
namespace {

struct Entry {
  int group;
  int table;
  std::string rest;
  std::string value;

  auto place() const { return std::tie(group, table, rest); }
};

std::vector<Entry> random_entries(std::mt19937& random, int count, const std::string& prefix) {
  std::vector<Entry> entries;
  for (int i = 0; i < count; ++i) {
    std::string rest = prefix;
    for (int left = static_cast<int>(random() % 9); left > 0; --left) {
      rest.push_back("\0\1a\xff"[random() % 4]);
    }
    entries.push_back({static_cast<int>(random() % 3) * 255, static_cast<int>(random() % 2) * 256,
                       rest, std::to_string(i)});
  }
  return entries;
}

void expect_sorted(const std::vector<Entry>& entries) {
  EntryBuffer buffer;
  for (const Entry& entry : entries) {
    const std::string key = {static_cast<char>(entry.group >> 8), static_cast<char>(entry.group)};
    buffer.add({.table = entry.table, .key = key + entry.rest, .value = entry.value});
  }
  buffer.sort();
  std::vector<Entry> expected = entries;
  std::stable_sort(expected.begin(), expected.end(),
                   [](const Entry& a, const Entry& b) { return a.place() < b.place(); });
  ASSERT_EQ(buffer.size(), expected.size());
  std::vector<bool> seen(entries.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const StateEntry entry = buffer[i];
    EXPECT_EQ(entry.table, expected[i].table);
    EXPECT_EQ(entry.key.substr(2), expected[i].rest);
    const auto number = std::stoul(std::string(entry.value));
    EXPECT_EQ(entry.key.substr(2), entries[number].rest) << "a value isn't with its key";
    EXPECT_FALSE(seen[number]);
    seen[number] = true;
  }
}

TEST(EntryBufferTest, OrdersByGroupTableAndKeyHoweverLongTheKeysAreAlike) {
  std::mt19937 random(1);
  for (const std::size_t alike : {0, 4, 11, 16, 19, 20, 40}) {
    for (const int count : {0, 1, 47, 48, 5000}) {
      SCOPED_TRACE(testing::Message() << count << " keys, alike in " << alike << " bytes");
      expect_sorted(random_entries(random, count, std::string(alike, 'p')));
    }
  }
}

}  // namespace
}  // namespace weir
