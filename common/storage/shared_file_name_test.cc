#include "common/storage/shared_file_name.h"

#include <gtest/gtest.h>

namespace weir::storage {
namespace {

TEST(SharedFileNameTest, TellsItsCheckpoint) {
  const std::string name = shared_file_name("operator2-0-1", 7, "000012.sst");
  EXPECT_EQ(name, "operator2-0-1-7-000012.sst");
  EXPECT_EQ(checkpoint_of_shared_file(name), 7);
}

TEST(SharedFileNameTest, OtherNamesTellNone) {
  for (const char* name : {"", "-", "--", "stray", "a-b", "a-b-c", "-7", "7-", "a--b"}) {
    EXPECT_EQ(checkpoint_of_shared_file(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace weir::storage
