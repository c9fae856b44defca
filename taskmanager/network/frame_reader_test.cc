#include "taskmanager/network/frame_reader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/status_matchers.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/testing/random_bytes.h"

namespace weir {
namespace {

using testing::HasSubstr;

struct ReadFrame {
  FrameHeader header;
  std::string body;
  friend bool operator==(const ReadFrame&, const ReadFrame&) = default;
};

// Skips buffers of odd channels.
class RecordingHandler final : public FrameReader::Handler {
 public:
  absl::StatusOr<char*> memory_for(const FrameHeader& header) override {
    if (header.channel % 2 == 1) return nullptr;
    memory_.assign(kBufferBytes, '?');
    return memory_.data();
  }
  absl::Status on_frame(const FrameHeader& header, std::string_view body) override {
    frames.push_back({header, std::string(body)});
    return header.type == FrameType::kClose ? absl::CancelledError("enough") : absl::OkStatus();
  }
  std::vector<ReadFrame> frames;

 private:
  std::string memory_;
};

// As readv does: fills the spaces in their order, with `bytes` at most.
absl::Status feed(FrameReader& reader, std::string_view& stream, size_t bytes) {
  size_t fed = 0;
  for (const std::span<char> space : reader.space()) {
    const size_t count = std::min({space.size(), bytes - fed, stream.size()});
    std::memcpy(space.data(), stream.data(), count);
    stream.remove_prefix(count);
    fed += count;
  }
  return reader.advance(fed);
}

ReadFrame random_frame(std::mt19937_64& random) {
  ReadFrame frame;
  frame.header.channel = static_cast<uint32_t>(random() % 4);
  frame.header.number = static_cast<uint32_t>(random());
  frame.header.type = random() % 2 ? FrameType::kBuffer : FrameType::kEvent;
  const size_t most = frame.header.type == FrameType::kBuffer ? kBufferBytes : 100;
  frame.body = random_bytes(random, random() % 3 ? random() % (most + 1) : random() % 3);
  frame.header.body_bytes = static_cast<uint32_t>(frame.body.size());
  return frame;
}

TEST(FrameReaderTest, FramesComeOutWholeHoweverTheStreamIsCut) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random(seed);
    std::string bytes;
    std::vector<ReadFrame> expected;
    for (int i = 0; i < 40; ++i) {
      const ReadFrame frame = random_frame(random);
      bytes += encode_frame(frame.header, frame.body);
      const bool skipped = frame.header.type == FrameType::kBuffer && frame.header.channel % 2 == 1;
      if (!skipped) expected.push_back(frame);
    }
    RecordingHandler handler;
    FrameReader reader(handler);
    std::string_view stream = bytes;
    const size_t most = 1 + random() % 60'000;
    while (!stream.empty()) ASSERT_THAT(feed(reader, stream, 1 + random() % most), IsOk());
    ASSERT_EQ(handler.frames, expected) << "seed " << seed;
  }
}

TEST(FrameReaderTest, ABodyThatComesAloneGoesWhereItBelongs) {
  RecordingHandler handler;
  FrameReader reader(handler);
  const std::string frame =
      encode_frame({.type = FrameType::kBuffer, .channel = 2}, std::string(kBufferBytes, 'b'));
  std::string_view stream = frame;
  ASSERT_THAT(feed(reader, stream, kFrameHeaderBytes), IsOk());
  EXPECT_EQ(reader.space()[0].size(), kBufferBytes);
  ASSERT_THAT(feed(reader, stream, 1000), IsOk());
  EXPECT_EQ(reader.space()[0].size(), kBufferBytes - 1000);
}

TEST(FrameReaderTest, AMalformedFrameEndsTheStream) {
  RecordingHandler handler;
  FrameReader reader(handler);
  const std::string bytes = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  std::string_view stream = bytes;
  EXPECT_THAT(feed(reader, stream, bytes.size()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("malformed frame")));
}

TEST(FrameReaderTest, TheHandlersErrorEndsTheStream) {
  RecordingHandler handler;
  FrameReader reader(handler);
  const std::string bytes = encode_frame({.type = FrameType::kClose, .channel = 1}, "") +
                            encode_frame({.type = FrameType::kClose, .channel = 2}, "");
  std::string_view stream = bytes;
  EXPECT_THAT(feed(reader, stream, bytes.size()), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(handler.frames.size(), 1u);
}

}  // namespace
}  // namespace weir
