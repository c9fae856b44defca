#include "connectors/kafka/sink/transactional_id.h"

#include <gtest/gtest.h>

#include "common/status_matchers.h"

namespace weir::kafka {
namespace {

TEST(TransactionalIdTest, IsWrittenWithColonsBetweenItsParts) {
  EXPECT_EQ(format_transactional_id({"orders", "sink-1", 7, 2, 3}), "orders:sink-1:7:2:3");
}

TEST(TransactionalIdTest, WhatIsWrittenIsReadBack) {
  const TransactionalId id{"pre.fix", "uid", UINT64_MAX, 0, 12};
  EXPECT_EQ(parse_transactional_id(format_transactional_id(id)), id);
}

TEST(TransactionalIdTest, NothingElseIsRead) {
  for (const char* text :
       {"", "orders", "orders:uid:7:2", "orders:uid:7:2:3:4", ":uid:7:2:3", "orders::7:2:3",
        "orders:uid:07:2:3", "orders:uid:7:-2:3", "orders:uid:7:2:", "orders:uid:x:2:3",
        "orders:uid:7:2:3 ", "orders:uid:+7:2:3", "orders:uid:18446744073709551616:2:3",
        "orders:uid:7:2147483648:3"}) {
    EXPECT_EQ(parse_transactional_id(text), std::nullopt) << text;
  }
}

TEST(TransactionalIdTest, ColonAndEmptyPartsAreRefusedByName) {
  EXPECT_THAT(check_transactional_id_part("transactional id prefix", "orders"), IsOk());
  EXPECT_THAT(check_transactional_id_part("transactional id prefix", "or:ders"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::HasSubstr("transactional id prefix 'or:ders' contains ':'")));
  EXPECT_THAT(check_transactional_id_part("sink's uid", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, "the sink's uid is empty"));
  EXPECT_FALSE(check_transactional_id_part("prefix", std::string(1001, 'x')).ok());
}

}  // namespace
}  // namespace weir::kafka
