// How records cross from one task to another: the bytes of an element, where a sender writes them,
// and what a receiver is given.
//
// Element = header, 4 bytes little-endian: bits 0–27 the payload's bytes, bits 28–31 the kind;
// then the payload. A record's payload is what its Codec makes, behind 8 bytes of timestamp if it
// has one. The bytes are durable: an unaligned checkpoint holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "weir/element.h"
#include "weir/key_group.h"
#include "weir/output.h"

namespace weir {

enum class ElementKind : std::uint8_t {
  kRecord = 0,       // without timestamp
  kTimedRecord = 1,  // its timestamp first, 8 bytes
  kWatermark = 2,    // 8 bytes
  kStatus = 3,       // 1 byte: 1 idle, 0 active
};

inline constexpr std::size_t kElementHeaderBytes = 4;
inline constexpr std::uint32_t kElementPayloadBytesMax = (std::uint32_t{1} << 28) - 1;

struct ElementHeader {
  ElementKind kind = ElementKind::kRecord;
  std::uint32_t payload_bytes = 0;
};

// `at` holds kElementHeaderBytes. REQUIRES: payload_bytes <= kElementPayloadBytesMax.
inline void write_element_header(ElementHeader header, char* at) {
  const std::uint32_t bits = header.payload_bytes | static_cast<std::uint32_t>(header.kind) << 28;
  std::memcpy(at, &bits, kElementHeaderBytes);
}
// The kind may be one that this version doesn't know.
inline ElementHeader read_element_header(const char* at) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, at, kElementHeaderBytes);
  return {static_cast<ElementKind>(bits >> 28), bits & kElementPayloadBytesMax};
}

// What is left of the buffer that is being filled for one channel.
struct ChannelSpace {
  char* next = nullptr;
  char* end = nullptr;
};

// Where a sender writes a task's outgoing elements: one channel for each subtask that reads the
// stream. Confined to the task's thread.
class ChannelWriter {
 public:
  virtual ~ChannelWriter() = default;

  int channels() const { return static_cast<int>(spaces_.size()); }
  // The element with its header. May block for a buffer; throws Error when the task is cancelled
  // or a consumer is gone.
  void write(int channel, std::string_view element) {
    ChannelSpace& space = spaces_[static_cast<std::size_t>(channel)];
    if (element.size() > static_cast<std::size_t>(space.end - space.next)) {
      write_slow(channel, element);
      return;
    }
    std::memcpy(space.next, element.data(), element.size());
    space.next += element.size();
  }
  // A record is about to be written, to one channel or to all.
  void count_record() { ++records_; }
  std::uint64_t records() const { return records_; }
  // To every channel.
  void broadcast(std::string_view element) {
    for (int channel = 0; channel < channels(); ++channel) write(channel, element);
  }

 protected:
  // Called when the element doesn't fit its channel's space: goes on in a new buffer, or several.
  virtual void write_slow(int channel, std::string_view element) = 0;

  std::vector<ChannelSpace> spaces_;  // by channel

 private:
  std::uint64_t records_ = 0;
};

// One received record, its value still encoded.
struct ElementView {
  Timestamp timestamp = kNoTimestamp;
  std::string_view payload;  // without the timestamp; valid during the call
};

// Takes what a task receives on one input edge. Knows the record's type behind it: decodes and
// collects into the chain. Confined to the task's thread; throws what the chain throws, and Error
// when a payload can't be decoded.
class RecordReceiver {
 public:
  virtual ~RecordReceiver() = default;
  // The records of one buffer, in their order: one call per buffer, not per record.
  virtual void receive(std::span<const ElementView> records) = 0;
};

// Makes the two ends of an edge between tasks. Shared by all subtasks; thread-safe.
class EdgeFactory {
 public:
  virtual ~EdgeFactory() = default;
  // The producing end, an Output<T> that encodes each record and chooses its channel. `channels`
  // outlives it. `max_parallelism` is the job's number of key groups.
  virtual std::unique_ptr<OutputBase> create_sender(ChannelWriter& channels,
                                                    int max_parallelism) const = 0;
  // The consuming end. `next` is the Output<T> that the chain begins with, and outlives it.
  virtual std::unique_ptr<RecordReceiver> create_receiver(OutputBase& next) const = 0;
  // The same for records that were sent at another parallelism: those that aren't of the subtask's
  // key groups are left out.
  virtual std::unique_ptr<RecordReceiver> create_restoring_receiver(OutputBase& next,
                                                                    KeyGroupRange /*key_groups*/,
                                                                    int /*max_parallelism*/) const {
    return create_receiver(next);
  }
};

}  // namespace weir
