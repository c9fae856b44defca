#include "weir/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "weir/test_context.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

GeneratorSource<std::uint64_t> numbers(std::uint64_t count) {
  return GeneratorSource<std::uint64_t>([](std::uint64_t i) { return i; }).count(count);
}

std::map<int, std::vector<Split>> assign(const Source<std::uint64_t>& source, int parallelism,
                                         const std::string& state, std::vector<Split> splits) {
  TestCoordinatorContext context;
  context.parallelism_value = parallelism;
  auto coordinator = source.create_coordinator();
  coordinator->open(context);
  coordinator->restore(state.empty() ? coordinator->resolve() : state, splits);
  coordinator->start();
  EXPECT_EQ(context.no_more_splits.size(), static_cast<std::size_t>(parallelism));
  return context.assigned;
}

struct Running {
  std::unique_ptr<SourceReader<std::uint64_t>> reader;
  TestReaderContext context;
  TestOutput<std::uint64_t> output;

  Running(const Source<std::uint64_t>& source, int parallelism, const std::vector<Split>& splits)
      : reader(source.create_reader()) {
    context.parallelism_value = parallelism;
    reader->set_output(output);
    reader->open(context);
    reader->add_splits(splits);
    reader->no_more_splits();
  }

  void read_to_end() {
    while (reader->poll(milliseconds(100)) != PollStatus::kEndOfInput) {
    }
  }
};

std::vector<std::uint64_t> up_to(std::uint64_t count) {
  std::vector<std::uint64_t> numbers(count);
  for (std::uint64_t i = 0; i < count; ++i) numbers[i] = i;
  return numbers;
}

TEST(GeneratorTest, MakesEveryRecordOnceInSplitsByParallelism) {
  const auto source = numbers(10);
  const auto assigned = assign(source, 3, "", {});
  ASSERT_EQ(assigned.size(), 3u);
  Running first(source, 3, assigned.at(0));
  first.read_to_end();
  Running second(source, 3, assigned.at(1));
  second.read_to_end();
  EXPECT_THAT(first.output.values, ElementsAre(0, 3, 6, 9));
  EXPECT_THAT(second.output.values, ElementsAre(1, 4, 7));
}

TEST(GeneratorTest, ReadersWithoutSplitsEndAtOnce) {
  const auto source = numbers(1);
  Running running(source, 1, {});
  EXPECT_EQ(running.reader->poll(milliseconds(100)), PollStatus::kEndOfInput);
}

TEST(GeneratorTest, MakesFewerRecordsThanSplits) {
  const auto source = numbers(1);
  const auto assigned = assign(source, 2, "", {});
  Running second(source, 2, assigned.at(1));
  second.read_to_end();
  EXPECT_THAT(second.output.values, IsEmpty());
}

TEST(GeneratorTest, GoesOnWhereTheSnapshotWasAtAnotherParallelism) {
  const auto source = numbers(10'000);
  TestCoordinatorContext context;
  context.parallelism_value = 2;
  auto coordinator = source.create_coordinator();
  coordinator->open(context);
  coordinator->restore(coordinator->resolve(), {});
  coordinator->start();

  std::vector<std::uint64_t> made;
  std::vector<Split> splits;
  for (int subtask = 0; subtask < 2; ++subtask) {
    Running running(source, 2, context.assigned.at(subtask));
    for (int batch = 0; batch <= subtask; ++batch) running.reader->poll(milliseconds(0));
    for (Split& split : running.reader->snapshot(1)) splits.push_back(std::move(split));
    made.insert(made.end(), running.output.values.begin(), running.output.values.end());
  }
  EXPECT_LT(made.size(), 10'000u);

  const auto assigned = assign(source, 3, coordinator->snapshot(1), splits);
  for (const auto& [subtask, own] : assigned) {
    Running running(source, 3, own);
    running.read_to_end();
    made.insert(made.end(), running.output.values.begin(), running.output.values.end());
  }
  std::sort(made.begin(), made.end());
  EXPECT_EQ(made, up_to(10'000));
}

TEST(GeneratorTest, PositionsAreInACheckpointThatComesBeforeReadersHaveTheirSplits) {
  const auto source = numbers(10);
  const std::string third = encode(internal::GeneratorSplit{1, 3, 1, 10});
  TestCoordinatorContext context;
  auto coordinator = source.create_coordinator();
  coordinator->open(context);
  coordinator->restore(coordinator->resolve(), std::vector<Split>{{"0", third}});
  EXPECT_EQ(assign(source, 1, coordinator->snapshot(1), {}).at(0).at(0).state, third);
}

TEST(GeneratorTest, ARestartedReaderGetsItsSplitsAsTheyAreTold) {
  const auto source = numbers(10);
  TestCoordinatorContext context;
  context.parallelism_value = 2;
  auto coordinator = source.create_coordinator();
  coordinator->open(context);
  coordinator->restore(coordinator->resolve(), {});
  coordinator->start();
  context.assigned.clear();
  const Split split{"1", encode(internal::GeneratorSplit{1, 5, 2, 10})};
  coordinator->restart_readers(std::vector<int>{1}, std::vector<Split>{split});
  ASSERT_EQ(context.assigned.size(), 1u);
  EXPECT_EQ(context.assigned.at(1).at(0).state, split.state);
}

TEST(GeneratorTest, StateStaysReadable) {
  EXPECT_EQ(encode(internal::GeneratorSplit{1, 2, 3, 4}),
            std::string("\x01\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0", 25));
  // The coordinator's first version: the number of splits.
  const auto assigned = assign(numbers(10), 1, std::string("\x02\0\0\0", 4), {});
  ASSERT_EQ(assigned.at(0).size(), 2u);
  EXPECT_EQ(assigned.at(0)[1].state, encode(internal::GeneratorSplit{1, 1, 2, 10}));
}

TEST(GeneratorTest, RateLimiterLetsPassWhatTimeAllows) {
  using Clock = internal::RateLimiter::Clock;
  const Clock::time_point start{};
  internal::RateLimiter limiter(100);
  limiter.start(start);
  EXPECT_EQ(limiter.take(start, 1024), 0u);
  EXPECT_EQ(limiter.next(), start + milliseconds(10));
  EXPECT_EQ(limiter.take(start + milliseconds(10), 1024), 1u);
  EXPECT_EQ(limiter.take(start + milliseconds(1000), 50), 50u);
  EXPECT_EQ(limiter.take(start + milliseconds(1000), 1024), 49u);
  EXPECT_EQ(limiter.take(start + milliseconds(1000), 1024), 0u);
}

TEST(GeneratorTest, WakeUpEndsAWait) {
  auto source = numbers(10).records_per_second(0.001);
  Running running(source, 1, assign(source, 1, "", {}).at(0));
  std::thread waker([&] { running.reader->wake_up(); });
  EXPECT_EQ(running.reader->poll(std::chrono::minutes(10)), PollStatus::kIdle);
  waker.join();
}

TEST(GeneratorTest, RefusesARateOfZero) {
  EXPECT_THROW(numbers(1).records_per_second(0), FatalError);
}

}  // namespace
}  // namespace weir
