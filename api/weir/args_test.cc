#include "weir/args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "weir/error.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const FatalError& error) {
    return error.what();
  }
  return "";
}

TEST(ArgsTest, ReadsValuesFlagsAndEqualsSigns) {
  Args args({"--in", "lines", "--bounded", "--limit=-3", "--rate", "0.5", "--out=a=b"});
  EXPECT_EQ(args.get("in"), "lines");
  EXPECT_TRUE(args.get_flag("bounded"));
  EXPECT_FALSE(args.get_flag("other"));
  EXPECT_EQ(args.get_int("limit", 10), -3);
  EXPECT_EQ(args.get_double("rate", 1), 0.5);
  EXPECT_EQ(args.get("out", ""), "a=b");
  EXPECT_EQ(args.get("missing", "default"), "default");
  args.check();
}

TEST(ArgsTest, ReadsDurationsInFlinksUnits) {
  Args args({"--a=100ms", "--b", "5 s", "--c=10min", "--d=2h", "--e=1d"});
  EXPECT_EQ(args.get_duration("a", milliseconds(1)), milliseconds(100));
  EXPECT_EQ(args.get_duration("b", milliseconds(1)), milliseconds(5'000));
  EXPECT_EQ(args.get_duration("c", milliseconds(1)), milliseconds(600'000));
  EXPECT_EQ(args.get_duration("d", milliseconds(1)), milliseconds(7'200'000));
  EXPECT_EQ(args.get_duration("e", milliseconds(1)), milliseconds(86'400'000));
  EXPECT_EQ(args.get_duration("none", milliseconds(7)), milliseconds(7));
}

TEST(ArgsTest, ReadsAmountsOfMemory) {
  Args args({"--a=512kb", "--b", "8 MiB", "--c=1gb", "--d=100", "--e=7 parsecs"});
  EXPECT_EQ(args.get_memory_size("a", 1), 512 << 10);
  EXPECT_EQ(args.get_memory_size("b", 1), 8 << 20);
  EXPECT_EQ(args.get_memory_size("c", 1), 1 << 30);
  EXPECT_EQ(args.get_memory_size("d", 1), 100);
  EXPECT_EQ(args.get_memory_size("none", 64 << 20), 64 << 20);
  EXPECT_THAT(args.usage(), HasSubstr("--none (default: 64mb)"));
  EXPECT_THAT(message_of([&] { args.get_memory_size("e", 1); }),
              HasSubstr("must be an amount of memory such as"));
}

TEST(ArgsTest, ValuesOfTheWrongTypeAreNamed) {
  Args args({"--n=1x", "--f=maybe", "--d=5 parsecs", "--e=-5s", "--g=99999999999999999d"});
  EXPECT_EQ(message_of([&] { args.get_int("n", 0); }),
            "the argument --n is '1x': it must be a whole number");
  EXPECT_THAT(message_of([&] { args.get_double("n", 0); }), HasSubstr("must be a number"));
  EXPECT_THAT(message_of([&] { args.get_flag("f"); }), HasSubstr("true or false"));
  for (const char* name : {"d", "e", "g"}) {
    EXPECT_THAT(message_of([&] { args.get_duration(name, milliseconds(0)); }),
                HasSubstr("must be a duration such as"));
  }
}

TEST(ArgsTest, MissingAndUnknownOnesAreNamedWithTheUsage) {
  Args args({"--in=x", "--unknown"});
  EXPECT_EQ(args.get("in"), "x");
  EXPECT_EQ(args.get("out"), "");
  args.get_duration("wait", milliseconds(120'000));
  EXPECT_EQ(message_of([&] { args.check(); }),
            "the job takes no argument --unknown, the job argument --out is missing\n"
            "Arguments of the job:\n"
            "  --in (required)\n"
            "  --out (required)\n"
            "  --wait (default: 2min)\n");
  EXPECT_THAT(message_of([&] { args.check_required(); }),
              HasSubstr("--out is missing, the job hasn't asked for --unknown\n"));
}

TEST(ArgsTest, RefusesWordsThatAreNoArguments) {
  EXPECT_THROW(Args({"in"}), FatalError);
  EXPECT_THROW(Args({"--in", "a", "b"}), FatalError);
  EXPECT_THROW(Args({"--"}), FatalError);
  EXPECT_THAT(message_of([] { Args({"--in=a", "--in=b"}); }), HasSubstr("--in is given twice"));
}

TEST(ArgsTest, AJobWithoutArgumentsSaysSo) {
  EXPECT_EQ(Args({}).usage(), "The job takes no arguments.\n");
}

}  // namespace
}  // namespace weir
