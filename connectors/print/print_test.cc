#include "weir/print.h"

#include <gtest/gtest.h>

#include "weir/test_context.h"
#include "weir/testing/no_source.h"

namespace weir {
namespace {

template <typename T>
std::string printed(int parallelism, std::vector<T> values) {
  TestContext context;
  context.subtask_value = parallelism - 1;
  context.parallelism_value = parallelism;
  auto writer = PrintSink<T>().create_writer();
  writer->open(context);
  ::testing::internal::CaptureStdout();
  for (const T& value : values) writer->collect(value, kNoTimestamp);
  writer->end_batch();
  return ::testing::internal::GetCapturedStdout();
}

TEST(PrintTest, PrintsTextAndWhatHasAStreamOperator) {
  EXPECT_EQ(printed<std::string>(1, {"a", "", "b"}), "a\n\nb\n");
  EXPECT_EQ(printed<int>(1, {1, -2}), "1\n-2\n");
}

struct Visit {
  std::string who;
  std::pair<int, std::string> what;
};
WEIR_FIELDS(Visit, who, what)

TEST(PrintTest, PrintsTheFieldsOfWhatHasNone) {
  EXPECT_EQ(printed<Visit>(1, {{"a", {1, "b"}}}), "(a,(1,b))\n");
  EXPECT_EQ((printed<std::tuple<int, std::string>>(1, {{1, "b"}})), "(1,b)\n");
}

TEST(PrintTest, NamesTheSubtaskWhenThereAreSeveral) {
  EXPECT_EQ(printed<std::string>(2, {"a", "b"}), "2> a\n2> b\n");
}

TEST(PrintTest, AStreamEndsInPrint) {
  StreamExecutionEnvironment env;
  testing::stream_of<int>(env).print().uid("out");
  const StreamNode& node = env.graph().nodes.at(1);
  EXPECT_EQ(node.kind, NodeKind::kSink);
  EXPECT_EQ(node.name, "Print");
  EXPECT_EQ(node.uid, "out");
}

TEST(PrintTest, ABarrierLeavesNothingUnprinted) {
  TestContext context;
  auto writer = PrintSink<std::string>().create_writer();
  writer->open(context);
  ::testing::internal::CaptureStdout();
  writer->collect("before", kNoTimestamp);
  EXPECT_TRUE(writer->prepare_commit(1).empty());
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "before\n");
}

}  // namespace
}  // namespace weir
