// Both ends of an edge between tasks, for records of one type: what encodes a record and chooses
// its channel, and what decodes a buffer's records.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/codec.h"
#include "weir/error.h"
#include "weir/exchange.h"
#include "weir/key_group.h"

namespace weir::internal {

// A watermark, and a status, as elements.
std::string watermark_element(Timestamp watermark);
std::string status_element(bool idle);
[[noreturn]] void refuse_element_of(std::size_t payload_bytes);
[[noreturn]] void refuse_bytes_left(std::size_t bytes);

// Encodes; a derived class chooses the channel. What isn't a record goes to all channels.
template <typename T>
class Sender : public Output<T> {
 public:
  explicit Sender(ChannelWriter& channels) : channels_(channels) {}
  void watermark(Timestamp watermark) override {
    channels_.broadcast(watermark_element(watermark));
  }
  void idle(bool idle) override { channels_.broadcast(status_element(idle)); }

 protected:
  ChannelWriter& channels() { return channels_; }

  // Valid until the next call.
  std::string_view element(ViewOf<T> value, Timestamp timestamp) {
    const bool timed = timestamp != kNoTimestamp;
    element_.resize(kElementHeaderBytes);
    if (timed) Codec<Timestamp>::encode(timestamp, element_);
    Codec<T>::encode(value, element_);
    const std::size_t payload_bytes = element_.size() - kElementHeaderBytes;
    if (payload_bytes > kElementPayloadBytesMax) refuse_element_of(payload_bytes);
    write_element_header({timed ? ElementKind::kTimedRecord : ElementKind::kRecord,
                          static_cast<std::uint32_t>(payload_bytes)},
                         element_.data());
    channels_.count_record();
    return element_;
  }

 private:
  ChannelWriter& channels_;
  std::string element_;
};

// Each record to the next channel in turn; a forward edge has one.
template <typename T>
class RoundRobinSender final : public Sender<T> {
 public:
  using Sender<T>::Sender;
  void collect(ViewOf<T> value, Timestamp timestamp) override {
    this->channels().write(channel_, this->element(value, timestamp));
    if (++channel_ == this->channels().channels()) channel_ = 0;
  }

 private:
  int channel_ = 0;
};

template <typename T>
class BroadcastSender final : public Sender<T> {
 public:
  using Sender<T>::Sender;
  void collect(ViewOf<T> value, Timestamp timestamp) override {
    this->channels().broadcast(this->element(value, timestamp));
  }
};

// To the subtask that owns the key's group.
template <typename T, typename K, typename Selector>
class HashSender final : public Sender<T> {
 public:
  HashSender(ChannelWriter& channels, const Selector& selector, int max_parallelism)
      : Sender<T>(channels), selector_(selector), max_parallelism_(max_parallelism) {
    for (int key_group = 0; key_group < max_parallelism; ++key_group) {
      channel_of_.push_back(subtask_of(key_group, channels.channels(), max_parallelism));
    }
  }
  void collect(ViewOf<T> value, Timestamp timestamp) override {
    const int key_group = key_group_of(hash_key<K>(selector_(value)), max_parallelism_);
    this->channels().write(channel_of_[static_cast<std::size_t>(key_group)],
                           this->element(value, timestamp));
  }

 private:
  Selector selector_;
  const int max_parallelism_;
  std::vector<int> channel_of_;  // by key group
};

// Lets the records of a range of key groups pass.
template <typename T, typename K, typename Selector>
class KeyGroupFilter final : public Output<T> {
 public:
  KeyGroupFilter(Output<T>& next, const Selector& selector, KeyGroupRange key_groups,
                 int max_parallelism)
      : next_(next),
        selector_(selector),
        key_groups_(key_groups),
        max_parallelism_(max_parallelism) {}
  void collect(ViewOf<T> value, Timestamp timestamp) override {
    const int key_group = key_group_of(hash_key<K>(selector_(value)), max_parallelism_);
    if (key_groups_.contains(key_group)) next_.collect(value, timestamp);
  }
  void watermark(Timestamp watermark) override { next_.watermark(watermark); }
  void idle(bool idle) override { next_.idle(idle); }

 private:
  Output<T>& next_;
  Selector selector_;
  const KeyGroupRange key_groups_;
  const int max_parallelism_;
};

// Decodes a buffer's records into memory that it keeps, text into views of the buffer, and hands
// them on together.
template <typename T>
class TypedReceiver final : public RecordReceiver {
 public:
  explicit TypedReceiver(Output<T>& next) : next_(next) {}
  void receive(std::span<const ElementView> elements) override {
    records_.clear();
    if constexpr (!std::is_same_v<T, std::string>) reserve(elements.size());
    for (const ElementView& element : elements) {
      std::string_view in = element.payload;
      records_.push_back({decode_next(in), element.timestamp});
      if (!in.empty()) refuse_bytes_left(in.size());
    }
    next_.collect_batch(records_);
  }

 private:
  struct Slot {
    T value;
  };

  // Records refer to the slots, which must not move while a batch is decoded.
  void reserve(std::size_t count) {
    if constexpr (std::default_initializable<T>) {
      if (values_.size() < count) values_.resize(count);
    } else {
      values_.clear();
      values_.reserve(count);
    }
  }
  ViewOf<T> decode_next(std::string_view& in) {
    if constexpr (std::is_same_v<T, std::string>) {
      return Codec<std::string>::decode_view(in);
    } else if constexpr (std::default_initializable<T>) {
      T& value = values_[records_.size()].value;
      weir::decode_into(in, value);
      return value;
    } else {
      return values_.emplace_back(Slot{Codec<T>::decode(in)}).value;
    }
  }

  Output<T>& next_;
  std::vector<Slot> values_;
  std::vector<Record<T>> records_;
};

template <typename T>
class TypedEdge : public EdgeFactory {
 public:
  std::unique_ptr<RecordReceiver> create_receiver(OutputBase& next) const final {
    return std::make_unique<TypedReceiver<T>>(static_cast<Output<T>&>(next));
  }
};

// S is a sender that needs nothing but its channels.
template <typename T, typename S>
class PlainEdge final : public TypedEdge<T> {
 public:
  std::unique_ptr<OutputBase> create_sender(ChannelWriter& channels,
                                            int /*max_parallelism*/) const override {
    return std::make_unique<S>(channels);
  }
};
template <typename T>
using RoundRobinEdge = PlainEdge<T, RoundRobinSender<T>>;
template <typename T>
using BroadcastEdge = PlainEdge<T, BroadcastSender<T>>;

template <typename T, typename K, typename Selector>
class HashEdge final : public TypedEdge<T> {
 public:
  explicit HashEdge(Selector selector) : selector_(std::move(selector)) {}
  std::unique_ptr<OutputBase> create_sender(ChannelWriter& channels,
                                            int max_parallelism) const override {
    return std::make_unique<HashSender<T, K, Selector>>(channels, selector_, max_parallelism);
  }
  std::unique_ptr<RecordReceiver> create_restoring_receiver(OutputBase& next,
                                                            KeyGroupRange key_groups,
                                                            int max_parallelism) const override {
    return std::make_unique<RestoringReceiver>(static_cast<Output<T>&>(next), selector_, key_groups,
                                               max_parallelism);
  }

 private:
  class RestoringReceiver final : public RecordReceiver {
   public:
    RestoringReceiver(Output<T>& next, const Selector& selector, KeyGroupRange key_groups,
                      int max_parallelism)
        : filter_(next, selector, key_groups, max_parallelism), receiver_(filter_) {}
    void receive(std::span<const ElementView> records) override { receiver_.receive(records); }

   private:
    KeyGroupFilter<T, K, Selector> filter_;
    TypedReceiver<T> receiver_;
  };

  const Selector selector_;
};

}  // namespace weir::internal
