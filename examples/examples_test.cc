// The example jobs as the client sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/library/job_library.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<StreamGraph> build(const std::string& name,
                                  const std::vector<std::string>& arguments) {
  const auto library = JobLibrary::load(WEIR_EXAMPLES "/" + name + ".so");
  if (!library.ok()) return library.status();
  return (*library)->build(arguments);
}

std::vector<std::string> uids(const StreamGraph& graph) {
  std::vector<std::string> result;
  for (const StreamNode& node : graph.nodes) result.push_back(node.uid);
  return result;
}

const std::vector<std::string> kProcessed = {"--brokers=localhost:9092", "--in=lines",
                                             "--out=processed", "--group=g",
                                             "--transactional-id-prefix=p"};

std::vector<std::string> processed_with(const std::string& argument) {
  std::vector<std::string> arguments = kProcessed;
  arguments.push_back(argument);
  return arguments;
}

TEST(ExamplesTest, ProcessedIsSourceMapAndSink) {
  const auto graph = build("processed", kProcessed);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->job_name, "processed");
  EXPECT_THAT(uids(*graph), ElementsAre("in", "processed", "out"));
  EXPECT_TRUE(graph->nodes[0].has_coordinator);
  EXPECT_TRUE(graph->nodes[2].has_coordinator);
  EXPECT_TRUE(graph->nodes[2].has_committer);
  EXPECT_EQ(graph->configuration.at("execution.checkpointing.interval"), "5000 ms");
}

TEST(ExamplesTest, ProcessedTakesGuaranteeIntervalAndEnd) {
  const auto bounded = build("processed", processed_with("--bounded"));
  EXPECT_TRUE(bounded.ok()) << bounded.status();
  const auto often = build("processed", processed_with("--checkpoint-interval=100ms"));
  ASSERT_TRUE(often.ok()) << often.status();
  EXPECT_EQ(often->configuration.at("execution.checkpointing.interval"), "100 ms");
  const auto weaker = build("processed", processed_with("--guarantee=at-least-once"));
  ASSERT_TRUE(weaker.ok()) << weaker.status();
  EXPECT_FALSE(weaker->nodes[2].has_committer);
}

TEST(ExamplesTest, ProcessedNamesBadArguments) {
  EXPECT_THAT(build("processed", {}).status().message(), HasSubstr("--brokers is missing"));
  EXPECT_THAT(build("processed", processed_with("--guarantee=twice")).status().message(),
              HasSubstr("--guarantee is 'twice'"));
  EXPECT_THAT(build("processed", processed_with("--outt=x")).status().message(),
              HasSubstr("takes no argument --outt"));
}

TEST(ExamplesTest, KeyedCountCountsBehindAnExchangeByKey) {
  std::vector<std::string> arguments = kProcessed;
  for (const char* argument : {"--state-backend=rocksdb", "--parallelism=3"}) {
    arguments.emplace_back(argument);
  }
  const auto graph = build("keyed_count", arguments);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(uids(*graph), ElementsAre("in", "count", "out"));
  EXPECT_TRUE(graph->nodes[1].keyed);
  EXPECT_EQ(graph->nodes[1].inputs[0].partitioning, Partitioning::kHash);
  EXPECT_TRUE(graph->nodes[2].has_committer);
  EXPECT_EQ(graph->configuration.at("state.backend.type"), "rocksdb");
  EXPECT_EQ(graph->configuration.at("parallelism.default"), "3");
}

TEST(ExamplesTest, WindowSumHasTumblingWindowsUnlessTheySlide) {
  for (const char* slide : {"--slide=1s", "--slide=100ms"}) {
    const auto graph = build("window_sum", processed_with(slide));
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_THAT(uids(*graph), ElementsAre("in", "sum", "out"));
    EXPECT_TRUE(graph->nodes[1].keyed);
  }
  EXPECT_THAT(build("window_sum", processed_with("--size=0s")).status().message(),
              HasSubstr("the size of a window is 0 ms"));
}

TEST(ExamplesTest, WordCountPrintsWhatASocketSays) {
  const auto graph = build("word_count", {"--parallelism=2"});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(uids(*graph), ElementsAre("in", "check", "split", "sum", "print"));
  EXPECT_EQ(graph->nodes[0].parallelism_max, 1);
  EXPECT_TRUE(graph->nodes[3].keyed);
}

TEST(ExamplesTest, WordCountAlsoReadsAndWritesKafka) {
  const auto graph = build("word_count", processed_with("--source=kafka"));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(uids(*graph), ElementsAre("in", "check", "split", "sum", "print", "text", "out"));
  EXPECT_TRUE(graph->nodes[6].has_committer);
  EXPECT_THAT(build("word_count", {"--source=file"}).status().message(),
              HasSubstr("--source is 'file'"));
}

}  // namespace
}  // namespace weir
