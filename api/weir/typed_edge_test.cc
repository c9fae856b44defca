// Records cross between tasks: encoded, sent to channels, received and decoded.
#include "weir/typed_edge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "weir/test_context.h"
#include "weir/testing/vector_channels.h"

namespace weir {
namespace {

using internal::BroadcastEdge;
using internal::HashEdge;
using internal::RoundRobinEdge;
using internal::TypedReceiver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::receive_all;
using testing::SentElement;
using testing::VectorChannels;

constexpr int kMaxParallelism = 128;

struct Order {
  std::string customer;
  std::vector<std::string> items;
  bool operator==(const Order&) const = default;
};
WEIR_FIELDS(Order, customer, items)

// Can't be made without a value.
struct Length {
  explicit Length(int value) : metres(value) {}
  int metres;
};

}  // namespace

template <>
struct Codec<Length> {
  static void encode(const Length& value, std::string& out) {
    Codec<int>::encode(value.metres, out);
  }
  static Length decode(std::string_view& in) { return Length(Codec<int>::decode(in)); }
};

namespace {

// Keeps how many records came together, too.
template <typename T>
class BatchOutput final : public Output<T> {
 public:
  void collect(ViewOf<T> /*value*/, Timestamp /*timestamp*/) override { FAIL() << "one by one"; }
  void collect_batch(std::span<const Record<T>> records) override {
    batches.push_back(records.size());
    for (const Record<T>& record : records) {
      values.emplace_back(record.value);
      timestamps.push_back(record.timestamp);
    }
  }

  std::vector<std::size_t> batches;
  std::vector<T> values;
  std::vector<Timestamp> timestamps;
};

template <typename T>
Output<T>& as_output(OutputBase& base) {
  return static_cast<Output<T>&>(base);
}

template <typename T>
std::vector<T> received(VectorChannels& channels, int channel) {
  BatchOutput<T> output;
  TypedReceiver<T> receiver(output);
  receive_all(channels.take(channel), receiver);
  return output.values;
}

std::string bytes(std::initializer_list<int> values) {
  std::string result;
  for (const int value : values) result.push_back(static_cast<char>(value));
  return result;
}

// One channel, whose buffer the test reads.
class OneBuffer final : public ChannelWriter {
 public:
  OneBuffer() { spaces_.push_back({buffer, buffer + sizeof(buffer)}); }
  std::string written() const {
    return std::string(buffer, static_cast<const char*>(spaces_[0].next));
  }
  char buffer[256];

 private:
  void write_slow(int /*channel*/, std::string_view /*element*/) override { FAIL(); }
};

TEST(ElementTest, GoldenBytes) {
  OneBuffer channels;
  const auto sender = RoundRobinEdge<std::string>().create_sender(channels, kMaxParallelism);
  as_output<std::string>(*sender).collect("ab", kNoTimestamp);
  as_output<std::string>(*sender).collect("c", 258);
  sender->watermark(-1);
  sender->idle(true);
  sender->idle(false);
  EXPECT_EQ(channels.written(),
            bytes({6, 0, 0, 0x00, 2, 0, 0, 0, 'a', 'b'}) +
                bytes({13, 0, 0, 0x10, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 'c'}) +
                bytes({8, 0, 0, 0x20, 255, 255, 255, 255, 255, 255, 255, 255}) +
                bytes({1, 0, 0, 0x30, 1}) + bytes({1, 0, 0, 0x30, 0}));
}

TEST(ElementTest, AHeaderHoldsTheLargestPayload) {
  char header[kElementHeaderBytes];
  write_element_header({ElementKind::kStatus, kElementPayloadBytesMax}, header);
  EXPECT_EQ(read_element_header(header).kind, ElementKind::kStatus);
  EXPECT_EQ(read_element_header(header).payload_bytes, kElementPayloadBytesMax);
}

TEST(TypedEdgeTest, RebalanceDealsOutInTurn) {
  VectorChannels channels(3);
  const auto sender = RoundRobinEdge<int>().create_sender(channels, kMaxParallelism);
  for (int i = 0; i < 7; ++i) as_output<int>(*sender).collect(i, kNoTimestamp);
  EXPECT_THAT(received<int>(channels, 0), ElementsAre(0, 3, 6));
  EXPECT_THAT(received<int>(channels, 1), ElementsAre(1, 4));
  EXPECT_THAT(received<int>(channels, 2), ElementsAre(2, 5));
}

TEST(TypedEdgeTest, BroadcastGivesEveryRecordToAll) {
  VectorChannels channels(2);
  const auto sender = BroadcastEdge<std::string>().create_sender(channels, kMaxParallelism);
  as_output<std::string>(*sender).collect("a", kNoTimestamp);
  as_output<std::string>(*sender).collect(std::string(1000, 'b'), kNoTimestamp);
  for (const int channel : {0, 1}) {
    EXPECT_THAT(received<std::string>(channels, channel), ElementsAre("a", std::string(1000, 'b')));
  }
}

TEST(TypedEdgeTest, HashSendsAKeyToTheSubtaskOfItsGroup) {
  const auto key = [](const Order& order) { return std::string_view(order.customer); };
  VectorChannels channels(3);
  const HashEdge<Order, std::string, decltype(key)> edge(key);
  const auto sender = edge.create_sender(channels, kMaxParallelism);
  for (int i = 0; i < 100; ++i) {
    as_output<Order>(*sender).collect({std::to_string(i), {"item"}}, kNoTimestamp);
  }
  int count = 0;
  for (int channel = 0; channel < 3; ++channel) {
    for (const Order& order : received<Order>(channels, channel)) {
      const KeyGroupRange range = key_group_range(channel, 3, kMaxParallelism);
      const std::uint64_t hash = hash_key<std::string>(order.customer);
      EXPECT_TRUE(range.contains(key_group_of(hash, kMaxParallelism))) << order.customer;
      ++count;
    }
  }
  EXPECT_EQ(count, 100);
}

TEST(TypedEdgeTest, TimestampsWatermarksAndStatusGoToEveryChannelAsTheyCame) {
  VectorChannels channels(2);
  const auto sender = RoundRobinEdge<int>().create_sender(channels, kMaxParallelism);
  as_output<int>(*sender).collect(1, 10);
  as_output<int>(*sender).collect(2, kNoTimestamp);
  sender->watermark(20);
  sender->idle(true);
  const std::vector<SentElement> first = channels.take(0);
  const std::vector<SentElement> second = channels.take(1);
  ASSERT_EQ(first.size(), 3u);
  ASSERT_EQ(second.size(), 3u);
  EXPECT_EQ(first[0].timestamp, 10);
  EXPECT_EQ(second[0].timestamp, kNoTimestamp);
  for (const auto& elements : {first, second}) {
    EXPECT_EQ(elements[1].kind, ElementKind::kWatermark);
    EXPECT_EQ(elements[1].timestamp, 20);
    EXPECT_EQ(elements[2].kind, ElementKind::kStatus);
    EXPECT_EQ(elements[2].payload, bytes({1}));
  }
}

TEST(TypedReceiverTest, ABuffersRecordsComeTogether) {
  VectorChannels channels(1);
  const auto sender = RoundRobinEdge<bool>().create_sender(channels, kMaxParallelism);
  for (int i = 0; i < 5; ++i) as_output<bool>(*sender).collect(i % 2 == 0, i);
  BatchOutput<bool> output;
  const auto receiver = RoundRobinEdge<bool>().create_receiver(output);
  receive_all(channels.take(0), *receiver);
  EXPECT_THAT(output.batches, ElementsAre(5));
  EXPECT_THAT(output.values, ElementsAre(true, false, true, false, true));
  EXPECT_THAT(output.timestamps, ElementsAre(0, 1, 2, 3, 4));
}

TEST(TypedReceiverTest, EveryBatchIsWhatItsOwnBytesSay) {
  std::mt19937 random(4);
  BatchOutput<Order> output;
  TypedReceiver<Order> receiver(output);
  std::vector<Order> sent;
  for (int batch = 0; batch < 50; ++batch) {
    VectorChannels channels(1);
    const auto sender = RoundRobinEdge<Order>().create_sender(channels, kMaxParallelism);
    for (int i = static_cast<int>(random() % 20); i > 0; --i) {
      sent.push_back({std::string(random() % 40, 'x'), {}});
      for (int j = static_cast<int>(random() % 4); j > 0; --j) {
        sent.back().items.push_back(std::to_string(random()));
      }
      as_output<Order>(*sender).collect(sent.back(), kNoTimestamp);
    }
    receive_all(channels.take(0), receiver);
  }
  EXPECT_EQ(output.values, sent);
}

TEST(TypedReceiverTest, ATypeThatCannotBeMadeEmptyIsReceivedToo) {
  VectorChannels channels(1);
  const auto sender = RoundRobinEdge<Length>().create_sender(channels, kMaxParallelism);
  for (int i = 0; i < 3; ++i) as_output<Length>(*sender).collect(Length(i), kNoTimestamp);
  const std::vector<Length> lengths = received<Length>(channels, 0);
  ASSERT_EQ(lengths.size(), 3u);
  EXPECT_EQ(lengths[2].metres, 2);
}

TEST(TypedReceiverTest, RefusesWhatIsNotExactlyOneRecord) {
  BatchOutput<int> output;
  TypedReceiver<int> receiver(output);
  for (const std::size_t size : {0, 3, 5}) {
    const std::string payload(size, 'x');
    const ElementView element{kNoTimestamp, payload};
    EXPECT_THROW(receiver.receive({&element, 1}), Error) << size;
  }
  EXPECT_TRUE(output.values.empty());
}

}  // namespace
}  // namespace weir
