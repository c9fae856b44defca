#include "connectors/socket/delimited_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "weir/error.h"

namespace weir::socket {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> take_all(DelimitedText& text) {
  std::vector<std::string> result;
  while (const auto next = text.next()) result.emplace_back(*next);
  return result;
}

std::vector<std::string> cut(const std::string& delimiter, const std::vector<std::string>& pieces) {
  DelimitedText text(delimiter, 100);
  std::vector<std::string> result;
  for (const std::string& piece : pieces) {
    text.append(piece);
    for (std::string& next : take_all(text)) result.push_back(std::move(next));
  }
  if (const auto rest = text.take_rest()) result.push_back("rest: " + std::string(*rest));
  return result;
}

TEST(DelimitedTextTest, CutsAtEachDelimiter) {
  EXPECT_THAT(cut("\n", {"a\n\nbc\n"}), ElementsAre("a", "", "bc"));
  EXPECT_THAT(cut("\n", {}), IsEmpty());
  EXPECT_THAT(cut("||", {"a|b||c"}), ElementsAre("a|b", "rest: c"));
}

TEST(DelimitedTextTest, TakesACarriageReturnAwayWithTheNewlineOnly) {
  EXPECT_THAT(cut("\n", {"a\r\n\r\nb\r\rc\n"}), ElementsAre("a", "", "b\r\rc"));
  EXPECT_THAT(cut(",", {"a\r,b"}), ElementsAre("a\r", "rest: b"));
}

// Whatever the pieces, the texts are the same.
TEST(DelimitedTextTest, PiecesDontMatter) {
  const std::string all = "a--b-c---d----e";
  for (std::size_t first = 0; first <= all.size(); ++first) {
    for (std::size_t second = first; second <= all.size(); ++second) {
      EXPECT_THAT(
          cut("--", {all.substr(0, first), all.substr(first, second - first), all.substr(second)}),
          ElementsAre("a", "b-c", "-d", "", "rest: e"));
    }
  }
}

TEST(DelimitedTextTest, RefusesATextThatIsTooLongBeforeItsEndHasCome) {
  DelimitedText text("--", 3);
  text.append("abc--abc-");
  EXPECT_THAT(take_all(text), ElementsAre("abc"));
  text.append("-");
  EXPECT_THAT(take_all(text), ElementsAre("abc"));
  text.append("abcd-");
  EXPECT_THROW(text.next(), Error);
  DelimitedText at_once("--", 3);
  at_once.append("abcd--");
  EXPECT_THROW(at_once.next(), Error);
}

}  // namespace
}  // namespace weir::socket
