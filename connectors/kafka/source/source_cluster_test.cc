// The source's parts against a real broker, driven as the runtime drives them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "connectors/kafka/source/partition_split.h"
#include "connectors/kafka/testing/fake_context.h"
#include "tests/cluster/kafka_fixture.h"
#include "weir/kafka.h"

namespace weir::kafka {
namespace {

using cluster_test::KafkaFixture;
using std::chrono::milliseconds;
using testing::_;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

KafkaFixture& broker() {
  return KafkaFixture::shared();
}

std::vector<std::string> numbers(int begin, int end) {
  std::vector<std::string> values;
  for (int i = begin; i < end; ++i) values.push_back(std::to_string(i));
  return values;
}

// A job's source: resolves once, and reads with `parallelism` readers in turn.
class SourceUnderTest {
 public:
  explicit SourceUnderTest(KafkaSourceOptions options, int parallelism = 1)
      : options_(std::move(options)), coordinator_(create_source_coordinator(options_)) {
    context_.parallelism_ = parallelism;
    coordinator_->open(context_);
  }

  std::string resolve() {
    coordinator_->validate();
    return coordinator_->resolve();
  }
  void start(const std::string& state, const std::vector<Split>& splits = {}) {
    coordinator_->restore(state, splits);
    coordinator_->start();
    for (int subtask = 0; subtask < context_.parallelism_; ++subtask) {
      readers_.push_back(create_source_reader(options_));
      readers_.back()->open(reader_context_);
    }
    give_splits();
  }
  void give_splits() {
    for (auto& [subtask, splits] : context_.assigned_) readers_.at(subtask)->add_splits(splits);
    context_.assigned_.clear();
    for (const int subtask : context_.ended_) readers_.at(subtask)->no_more_splits();
  }

  // Polls until `count` records came, or every reader has ended.
  std::vector<std::string> read(std::size_t count = SIZE_MAX) {
    std::vector<std::string> values;
    std::size_t ended = 0;
    while (values.size() < count && ended < readers_.size()) {
      ended = 0;
      for (const auto& reader : readers_) {
        if (reader->poll(milliseconds(10)) == PollStatus::kEndOfInput) ++ended;
        for (const KafkaRecord& record : reader->records()) values.emplace_back(*record.value);
      }
    }
    return values;
  }
  std::vector<Split> snapshot(std::int64_t checkpoint) {
    std::vector<Split> splits;
    for (const auto& reader : readers_) {
      for (Split& split : reader->snapshot(checkpoint)) splits.push_back(std::move(split));
    }
    return splits;
  }

  KafkaSourceOptions options_;
  FakeCoordinatorContext context_;
  FakeReaderContext reader_context_;
  std::unique_ptr<SourceCoordinator> coordinator_;
  std::vector<std::unique_ptr<SourceReaderCore>> readers_;
};

class SourceClusterTest : public testing::Test {
 protected:
  SourceClusterTest() : topic_(broker().create_topic("in", 3)) {}

  KafkaSourceOptions options() const {
    KafkaSourceOptions options;
    options.bootstrap_servers = broker().bootstrap();
    options.topics = {topic_};
    options.group_id = "group-" + topic_;
    return options;
  }
  KafkaSourceOptions bounded_options() const {
    KafkaSourceOptions options = this->options();
    options.bounded = OffsetsInitializer::latest();
    return options;
  }

  // One transaction of 10 records on each of the 3 partitions; prepared, then left to the caller.
  Committable write_transaction(std::uint64_t generation) const {
    KafkaSinkOptions sink;
    sink.bootstrap_servers = broker().bootstrap();
    sink.topic = topic_;
    sink.delivery_guarantee = DeliveryGuarantee::kExactlyOnce;
    sink.transactional_id_prefix = "p-" + topic_;
    const std::unique_ptr<SinkWriterCore> writer = create_sink_writer(sink);
    FakeContext<> context;
    context.generation_ = generation;
    writer->open(context);
    for (int i = 0; i < 30; ++i) {
      KafkaProducerRecord record;
      record.topic = topic_;
      record.partition = i % 3;
      const std::string value = "g" + std::to_string(generation) + "-" + std::to_string(i);
      record.value = value;
      writer->write(record);
    }
    return writer->prepare_commit(1).at(0);
  }
  void commit(const Committable& committable) const {
    KafkaSinkOptions sink;
    sink.bootstrap_servers = broker().bootstrap();
    sink.delivery_guarantee = DeliveryGuarantee::kExactlyOnce;
    const std::unique_ptr<Committer> committer = create_committer(sink);
    FakeContext<> context;
    committer->open(context);
    ASSERT_EQ(committer->commit(committable).status, CommitStatus::kCommitted);
  }

  std::string topic_;
};

std::string fatal_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const FatalError& error) {
    return error.what();
  }
  return "";
}

TEST_F(SourceClusterTest, ABoundedSourceReadsEverythingOnceAndEnds) {
  broker().produce(topic_, numbers(0, 10000));
  SourceUnderTest source(bounded_options(), 2);
  source.start(source.resolve());
  const std::vector<std::string> values = source.read();
  EXPECT_THAT(values, SizeIs(10000));
  EXPECT_THAT(std::set<std::string>(values.begin(), values.end()), SizeIs(10000));
}

TEST_F(SourceClusterTest, ABoundedSourceEndsBehindControlRecordsAndAbortedOnes) {
  commit(write_transaction(1));
  const Committable aborted = write_transaction(2);
  KafkaSinkOptions sink;
  sink.bootstrap_servers = broker().bootstrap();
  sink.delivery_guarantee = DeliveryGuarantee::kExactlyOnce;
  sink.transactional_id_prefix = "p-" + topic_;
  const std::unique_ptr<SinkCoordinator> coordinator = create_sink_coordinator(sink);
  FakeContext<> context;
  coordinator->open(context);
  coordinator->recover({3, {}, {}}, [](const Committable&, const CommitResult&) {});

  SourceUnderTest source(bounded_options());
  source.start(source.resolve());
  const std::vector<std::string> values = source.read();
  EXPECT_THAT(values, SizeIs(30));
  EXPECT_THAT(values, testing::Each(testing::StartsWith("g1-")));
  for (const Split& split : source.snapshot(1)) EXPECT_TRUE(from_split(split)->finished());
}

TEST_F(SourceClusterTest, AnOpenTransactionIsNotReadUntilItIsCommitted) {
  const Committable open = write_transaction(1);
  SourceUnderTest source(options());
  source.start(source.resolve());
  for (int i = 0; i < 10; ++i) {
    source.readers_[0]->poll(milliseconds(100));
    EXPECT_THAT(source.readers_[0]->records(), IsEmpty());
  }
  commit(open);
  EXPECT_THAT(source.read(30), SizeIs(30));
}

TEST_F(SourceClusterTest, ARestoredSourceGoesOnWhereItsSplitsAre) {
  broker().produce(topic_, numbers(0, 6000));
  SourceUnderTest first(bounded_options(), 2);
  const std::string state = first.resolve();
  first.start(state);
  std::vector<std::string> values = first.read(1);
  const std::vector<Split> splits = first.snapshot(1);
  first.readers_.clear();
  broker().produce(topic_, {"beyond the end"});
  SourceUnderTest second(bounded_options(), 3);  // at another parallelism
  second.start(state, splits);
  const std::vector<std::string> rest = second.read();
  values.insert(values.end(), rest.begin(), rest.end());
  EXPECT_THAT(values, SizeIs(6000));
  EXPECT_THAT(std::set<std::string>(values.begin(), values.end()), SizeIs(6000));
}

TEST_F(SourceClusterTest, ARestartedReadersPositionsAreInACheckpointThatComesBeforeItHasItsSplits) {
  broker().produce(topic_, numbers(0, 6000));
  SourceUnderTest first(bounded_options(), 2);
  first.start(first.resolve());
  std::vector<std::string> values = first.read(1);
  first.coordinator_->restart_readers(std::vector<int>{1}, first.snapshot(1));
  EXPECT_THAT(first.context_.assigned_, SizeIs(1));
  const std::string state = first.coordinator_->snapshot(2);
  SourceUnderTest second(bounded_options(), 2);
  second.start(state, first.readers_[0]->snapshot(2));
  const std::vector<std::string> rest = second.read();
  values.insert(values.end(), rest.begin(), rest.end());
  EXPECT_THAT(values, SizeIs(6000));
  EXPECT_THAT(std::set<std::string>(values.begin(), values.end()), SizeIs(6000));
}

TEST_F(SourceClusterTest, AReaderThatIsConnectedReadsItsFirstSplitBeforeReadersThatConnect) {
  topic_ = broker().create_topic("in", 1);
  broker().produce(topic_, {"first"});
  const std::vector<Split> splits = {to_split({topic_, 0})};
  FakeReaderContext context;
  const auto connect_and_read = [&] {
    const auto reader = create_source_reader(options());
    reader->open(context);
    reader->add_splits(splits);
    while (reader->records().empty()) reader->poll(milliseconds(10));
  };
  const auto connected = create_source_reader(options());
  connected->open(context);
  for (int i = 0; i < 3; ++i) connect_and_read();  // so long that the other is connected, too

  connected->add_splits(splits);
  for (int i = 0; i < 3; ++i) connect_and_read();
  connected->poll(milliseconds(0));
  EXPECT_THAT(connected->records(), SizeIs(1));
}

TEST_F(SourceClusterTest, StartsWhereItIsTold) {
  topic_ = broker().create_topic("in", 1);
  broker().produce(topic_, numbers(0, 10));
  const auto read_from = [&](OffsetsInitializer start) {
    KafkaSourceOptions options = bounded_options();
    options.starting_offsets = std::move(start);
    SourceUnderTest source(options);
    source.start(source.resolve());
    const std::vector<std::string> values = source.read();
    return values.empty() ? "none" : values.front();
  };
  EXPECT_EQ(read_from(OffsetsInitializer::earliest()), "0");
  EXPECT_EQ(read_from(OffsetsInitializer::latest()), "none");
  EXPECT_EQ(read_from(OffsetsInitializer::offsets({{{topic_, 0}, 4}})), "4");
  EXPECT_EQ(read_from(OffsetsInitializer::offsets({}, OffsetReset::kLatest)), "none");
  EXPECT_EQ(read_from(OffsetsInitializer::timestamp(0)), "0");
  EXPECT_EQ(read_from(OffsetsInitializer::timestamp(4'000'000'000'000)), "none");
  EXPECT_EQ(read_from(OffsetsInitializer::committed_offsets(OffsetReset::kEarliest)), "0");
  EXPECT_EQ(read_from(OffsetsInitializer::committed_offsets(OffsetReset::kLatest)), "none");
  EXPECT_THAT(
      fatal_error([&] { read_from(OffsetsInitializer::committed_offsets(OffsetReset::kNone)); }),
      AllOf(HasSubstr(topic_ + "-0"), HasSubstr("group-")));
}

TEST_F(SourceClusterTest, CommitsOffsetsOfACompletedCheckpointToItsGroup) {
  topic_ = broker().create_topic("in", 1);
  broker().produce(topic_, numbers(0, 10));
  {
    SourceUnderTest source(bounded_options());
    source.start(source.resolve());
    EXPECT_THAT(source.read(), SizeIs(10));
    source.snapshot(1);
    source.readers_[0]->notify_checkpoint_complete(1);
    source.readers_[0]->close();
  }
  broker().produce(topic_, {"10"});
  KafkaSourceOptions options = bounded_options();
  options.starting_offsets = OffsetsInitializer::committed_offsets(OffsetReset::kNone);
  SourceUnderTest source(options);
  source.start(source.resolve());
  EXPECT_THAT(source.read(), ElementsAre("10"));
}

TEST_F(SourceClusterTest, AnOffsetThatIsGoneIsNamed) {
  KafkaSourceOptions options = this->options();
  options.starting_offsets = OffsetsInitializer::offsets({{{topic_, 1}, 1000}});
  SourceUnderTest source(options);
  source.start(source.resolve());
  EXPECT_THAT(fatal_error([&] { source.read(1); }),
              AllOf(HasSubstr(topic_ + "-1"), HasSubstr("1000")));
}

TEST_F(SourceClusterTest, AMissingTopicIsNamedWithTheBrokers) {
  KafkaSourceOptions options = this->options();
  options.topics = {"no-such-topic"};
  SourceUnderTest source(options);
  EXPECT_THAT(
      fatal_error([&] { source.resolve(); }),
      AllOf(HasSubstr("'no-such-topic'"), HasSubstr(broker().bootstrap()), HasSubstr("create it")));
}

TEST_F(SourceClusterTest, FindsNewTopicsOfItsPatternAndReadsThemFromTheBeginning) {
  const std::string stem = broker().create_topic("pattern", 1);
  KafkaSourceOptions options = this->options();
  options.topics.clear();
  options.topic_pattern = stem + ".*";
  options.starting_offsets = OffsetsInitializer::latest();
  options.partition_discovery_interval = milliseconds(1);
  broker().produce(stem, {"before"});
  SourceUnderTest source(options);
  source.start(source.resolve());
  const std::string added = broker().create_topic(stem + "-added", 1);
  broker().produce(added, {"new"});
  while (source.context_.assigned_.empty()) source.coordinator_->tick();
  source.give_splits();
  EXPECT_THAT(source.read(1), ElementsAre("new"));
  broker().produce(stem, {"after"});
  EXPECT_THAT(source.read(1), ElementsAre("after"));
}

TEST_F(SourceClusterTest, AReaderThatGetsNoPartitionIsToldSo) {
  SourceUnderTest source(options(), /*parallelism=*/4);
  source.coordinator_->restore(source.resolve(), {});
  source.coordinator_->start();
  EXPECT_THAT(source.context_.assigned_, SizeIs(4));
  EXPECT_THAT(source.context_.assigned_, Contains(Pair(_, IsEmpty())));
}

TEST_F(SourceClusterTest, AWaitingPollIsWokenUp) {
  SourceUnderTest source(options());
  source.start(source.resolve());
  while (source.readers_[0]->poll(milliseconds(200)) == PollStatus::kMoreAvailable) {
  }
  std::thread waker([&] { source.readers_[0]->wake_up(); });
  const auto begin = std::chrono::steady_clock::now();
  source.readers_[0]->poll(std::chrono::minutes(1));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  waker.join();
}

class Recorder : public Output<std::string> {
 public:
  void collect(std::string_view value, Timestamp timestamp) override {
    values.emplace_back(value);
    timestamps.push_back(timestamp);
  }
  std::vector<std::string> values;
  std::vector<Timestamp> timestamps;
};

TEST_F(SourceClusterTest, KeysHeadersTimestampsAndTombstonesGoThrough) {
  topic_ = broker().create_topic("in", 1);
  struct Order {
    std::string key;
    std::optional<std::string> value;
  };
  const auto sink =
      KafkaSink<Order>::builder()
          .set_bootstrap_servers(broker().bootstrap())
          .set_topic(topic_)
          .set_value_serializer([](const Order& order) { return order.value; })
          .set_key_serializer([](const Order& order) -> const std::string& { return order.key; })
          .set_headers([](const Order&, std::vector<KafkaHeader>& headers) {
            headers.push_back({"trace", "7"});
          })
          .set_partitioner(
              [](const Order&, std::string_view, int partitions) { return partitions - 1; })
          .set_record_timestamp(RecordTimestamp::kEventTime)
          .build();
  const auto writer = sink.create_writer();
  FakeContext<> sink_context;
  writer->open(sink_context);
  writer->collect({"k1", "v1"}, 1000);
  writer->collect({"k2", std::nullopt}, 2000);
  writer->end_batch();
  writer->prepare_commit(1);
  EXPECT_EQ(writer->io_counts().records, 2U);

  const auto source =
      KafkaSource<std::string>::builder()
          .set_bootstrap_servers(broker().bootstrap())
          .set_topics(topic_)
          .set_deserializer([](const KafkaRecord& record, Collector<std::string>& out) {
            for (const KafkaHeader& header : record.headers()) {
              out.collect(out.arena().concat({*record.key, "=", record.value.value_or("none"), " ",
                                              header.name, *header.value}));
            }
          })
          .build();
  FakeCoordinatorContext context;
  const auto coordinator = source.create_coordinator();
  coordinator->open(context);
  coordinator->restore(coordinator->resolve(), {});
  coordinator->start();
  Recorder recorder;
  const auto reader = source.create_reader();
  reader->set_output(recorder);
  FakeReaderContext reader_context;
  reader->open(reader_context);
  reader->add_splits(context.assigned_[0]);
  while (recorder.values.size() < 2) reader->poll(milliseconds(100));
  EXPECT_THAT(recorder.values, ElementsAre("k1=v1 trace7", "k2=none trace7"));
  EXPECT_THAT(recorder.timestamps, ElementsAre(1000, 2000));
}

TEST_F(SourceClusterTest, AReaderTellsWhoseRecordsItReadsAndWhichPartitionHasEnded) {
  broker().produce(topic_, numbers(0, 300));
  const auto source =
      KafkaSource<std::string>::builder()
          .set_bootstrap_servers(broker().bootstrap())
          .set_topics(topic_)
          .set_bounded(OffsetsInitializer::latest())
          .set_deserializer([](const KafkaRecord& record, Collector<std::string>& out) {
            out.collect(out.arena().concat({record.topic, "-", std::to_string(record.partition)}));
          })
          .build();
  FakeCoordinatorContext context;
  const auto coordinator = source.create_coordinator();
  coordinator->open(context);
  coordinator->restore(coordinator->resolve(), {});
  coordinator->start();
  struct : public Output<std::string>, public SplitListener {
    void collect(std::string_view split, Timestamp /*timestamp*/) override {
      EXPECT_EQ(split, current);
      EXPECT_FALSE(ended.contains(std::string(split)));
      ++records;
    }
    void begin_split(std::string_view id) override { current = id; }
    void end_split(std::string_view id) override { ended.emplace(id); }
    std::string current;
    std::set<std::string> ended;
    int records = 0;
  } listener;
  const auto reader = source.create_reader();
  reader->set_output(listener, &listener);
  FakeReaderContext reader_context;
  reader->open(reader_context);
  reader->add_splits(context.assigned_[0]);
  reader->no_more_splits();
  while (reader->poll(milliseconds(100)) != PollStatus::kEndOfInput) {
  }
  EXPECT_EQ(listener.records, 300);
  EXPECT_THAT(listener.ended, SizeIs(3));
}

TEST_F(SourceClusterTest, ARecordThatCannotBeReadIsNamedByItsPlace) {
  topic_ = broker().create_topic("in", 1);
  broker().produce(topic_, {"1", "x"});
  const auto source = KafkaSource<int>::builder()
                          .set_bootstrap_servers(broker().bootstrap())
                          .set_topics(topic_)
                          .set_value_only_deserializer(
                              [](std::string_view value) { return std::stoi(std::string(value)); })
                          .build();
  class : public Output<int> {
   public:
    void collect(const int& /*value*/, Timestamp /*timestamp*/) override {}
  } output;
  const auto reader = source.create_reader();
  reader->set_output(output);
  FakeReaderContext context;
  reader->open(context);
  reader->add_splits(std::vector<Split>{to_split({topic_, 0, 0})});
  try {
    while (true) reader->poll(milliseconds(100));
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("record " + topic_ + "-0 offset 1: stoi"));
  }
}

}  // namespace
}  // namespace weir::kafka
