// Channels in memory, for tests of what sends and receives between tasks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/codec.h"
#include "weir/error.h"
#include "weir/exchange.h"

namespace weir::testing {

// One element, as it was written.
struct SentElement {
  ElementKind kind = ElementKind::kRecord;
  Timestamp timestamp = kNoTimestamp;  // of a record with one, and of a watermark
  std::string payload;                 // without the timestamp
};

// Keeps what is written, in small buffers, so that both ways of writing are used.
class VectorChannels final : public ChannelWriter {
 public:
  explicit VectorChannels(int channels, std::size_t buffer_bytes = 64)
      : buffer_bytes_(buffer_bytes), buffers_(static_cast<std::size_t>(channels)) {
    spaces_.resize(static_cast<std::size_t>(channels));
  }

  // All elements of a channel since the last take().
  std::vector<SentElement> take(int channel) {
    finish_buffer(channel);
    std::vector<SentElement> elements;
    std::string bytes = std::exchange(written_of(channel).bytes, {});
    for (std::string_view in = bytes; !in.empty();) elements.push_back(next_element(in));
    return elements;
  }

 protected:
  void write_slow(int channel, std::string_view element) override {
    finish_buffer(channel);
    Channel& written = written_of(channel);
    written.bytes.append(element);
    written.buffer.resize(buffer_bytes_);
    ChannelSpace& space = spaces_[static_cast<std::size_t>(channel)];
    space = {written.buffer.data(), written.buffer.data() + written.buffer.size()};
  }

 private:
  struct Channel {
    std::string bytes;
    std::vector<char> buffer;  // being filled
  };

  Channel& written_of(int channel) { return buffers_[static_cast<std::size_t>(channel)]; }

  void finish_buffer(int channel) {
    ChannelSpace& space = spaces_[static_cast<std::size_t>(channel)];
    Channel& written = written_of(channel);
    if (space.next != nullptr) written.bytes.append(written.buffer.data(), space.next);
    space = {};
  }

  static SentElement next_element(std::string_view& in) {
    if (in.size() < kElementHeaderBytes) throw Error("an element has no header");
    const ElementHeader header = read_element_header(in.data());
    in.remove_prefix(kElementHeaderBytes);
    std::string_view payload = internal::take_bytes(in, header.payload_bytes);
    SentElement element;
    element.kind = header.kind;
    if (header.kind == ElementKind::kTimedRecord || header.kind == ElementKind::kWatermark) {
      element.timestamp = Codec<Timestamp>::decode(payload);
    }
    element.payload = payload;
    return element;
  }

  const std::size_t buffer_bytes_;
  std::vector<Channel> buffers_;
};

// Hands the records of a channel to the receiver, as one buffer.
inline void receive_all(const std::vector<SentElement>& elements, RecordReceiver& receiver) {
  std::vector<ElementView> views;
  for (const SentElement& element : elements) {
    if (element.kind > ElementKind::kTimedRecord) continue;
    views.push_back({element.timestamp, element.payload});
  }
  receiver.receive(views);
}

}  // namespace weir::testing
