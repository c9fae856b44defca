#include "taskmanager/state/canonical_file.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/escaping.h"
#include "common/status_matchers.h"
#include "taskmanager/state/testing/memory_storage.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using Entries = std::map<std::tuple<int, int, std::string>, std::string>;  // group, table, key

pb::KeyedStateFileHeader header_of(int tables) {
  pb::KeyedStateFileHeader header;
  header.set_max_parallelism(128);
  for (int i = 0; i < tables; ++i) header.add_tables()->set_name(absl::StrCat("t", i));
  return header;
}

std::string key_in_group(int group, const std::string& rest) {
  return std::string{static_cast<char>(group >> 8), static_cast<char>(group)} + rest;
}

absl::StatusOr<Entries> read_all(storage::CheckpointStorage& storage, std::uint64_t size,
                                 KeyGroupRange range) {
  absl::StatusOr<CanonicalFile> file = CanonicalFile::open(storage, "f", size);
  if (!file.ok()) return file.status();
  Entries entries;
  const absl::Status status = file->read(range, [&](const StateEntry& entry) {
    const int group =
        static_cast<unsigned char>(entry.key[0]) * 256 + static_cast<unsigned char>(entry.key[1]);
    entries[{group, entry.table, std::string(entry.key)}] = entry.value;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return entries;
}

TEST(CanonicalFileTest, GoldenBytes) {
  EntryBuffer entries;
  const std::string second = key_in_group(2, "b"), first = key_in_group(1, "a");
  entries.add({.table = 0, .key = second, .value = "y"});
  entries.add({.table = 1, .key = first, .value = "x"});
  entries.sort();
  const std::string golden =
      "574549524b455953010000000f00000008800112040a02743012040a027431c0535537d310847a010003"
      "0000000100000000016178000003000000010000000002627901000100000027000000000000000e0000"
      "00048e3fe7526f2c3302000100000035000000000000000e0000000161985dd9ebce8343000000000000"
      "0002000000d656a0e1bedc0df7574549524b454e44";
  EXPECT_EQ(absl::BytesToHexString(encode_canonical_file(header_of(2), entries)), golden);
  MemoryStorage storage;
  const std::string bytes = absl::HexStringToBytes(golden);
  ASSERT_THAT(storage.write_atomically("f", bytes), IsOk());
  EXPECT_EQ(*read_all(storage, bytes.size(), {0, 127}),
            (Entries{{{1, 1, first}, "x"}, {{2, 0, second}, "y"}}));
}

TEST(CanonicalFileTest, EntriesComeBackSortedAndByKeyGroup) {
  for (int seed = 1; seed <= 10; ++seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    EntryBuffer buffer;
    Entries expected;
    for (int i = 0; i < 3000; ++i) {
      const int group = static_cast<int>(random() % 128), table = static_cast<int>(random() % 3);
      const std::string key =
          key_in_group(group, std::string(random() % 9, static_cast<char>(random() % 4)));
      const std::string value(random() % 300, static_cast<char>(random()));
      if (!expected.insert({{group, table, key}, value}).second) continue;
      buffer.add({.table = table, .key = key, .value = value});
    }
    buffer.sort();
    auto next = expected.begin();
    for (std::size_t i = 0; i < buffer.size(); ++i, ++next) {
      ASSERT_EQ(buffer[i].key, std::get<2>(next->first));
      ASSERT_EQ(buffer[i].table, std::get<1>(next->first));
    }
    const std::string bytes = encode_canonical_file(header_of(3), buffer);
    MemoryStorage storage;
    ASSERT_THAT(storage.write_atomically("f", bytes), IsOk());
    EXPECT_EQ(*read_all(storage, bytes.size(), {0, 127}), expected);
    std::erase_if(expected, [](const auto& entry) {
      return std::get<0>(entry.first) < 40 || std::get<0>(entry.first) > 41;
    });
    storage.bytes_read = 0;
    EXPECT_EQ(*read_all(storage, bytes.size(), {40, 41}), expected);
    EXPECT_LT(storage.bytes_read, bytes.size() / 10);
  }
}

TEST(CanonicalFileTest, EveryTruncationAndEveryFlippedBitIsRefusedByName) {
  EntryBuffer entries;
  for (int i = 0; i < 3; ++i) {
    entries.add({.table = 0, .key = key_in_group(i, "key"), .value = "value"});
  }
  entries.sort();
  const std::string whole = encode_canonical_file(header_of(1), entries);
  MemoryStorage storage;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ASSERT_THAT(storage.write_atomically("f", whole.substr(0, size)), IsOk());
    for (const std::size_t told : {size, whole.size()}) {
      EXPECT_THAT(
          read_all(storage, told, {0, 127}).status(),
          StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checkpoint file memory:/f is ")));
    }
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string altered = whole;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_THAT(storage.write_atomically("f", altered), IsOk());
    const absl::Status status = read_all(storage, altered.size(), {0, 127}).status();
    EXPECT_FALSE(status.ok()) << bit;
    EXPECT_THAT(std::string(status.message()), HasSubstr("memory:/f"));
  }
}

TEST(CanonicalFileTest, ALaterFormatVersionIsRefusedAsSuch) {
  std::string bytes = encode_canonical_file(header_of(1), EntryBuffer());
  bytes[8] = 2;
  MemoryStorage storage;
  ASSERT_THAT(storage.write_atomically("f", bytes), IsOk());
  EXPECT_THAT(read_all(storage, bytes.size(), {0, 127}).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("format version 2")));
}

}  // namespace
}  // namespace weir
