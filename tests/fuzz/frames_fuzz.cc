// A data connection on which anything may come: frames cut in any way, their bodies decoded.
// Input: 1 = headers are given their checksums, bytes read at a time, the stream.
#include <xxhash.h>

#include <cstring>
#include <memory>

#include "common/check.h"
#include "taskmanager/network/frame.h"
#include "taskmanager/network/frame_reader.h"
#include "tests/fuzz/fuzz_input.h"

namespace weir {
namespace {

constexpr size_t kChecksummedBytes = kFrameHeaderBytes - sizeof(uint32_t);

// Without it no header but those of the corpus would get further than its checksum.
std::string with_checksums(std::string_view stream) {
  std::string result(stream);
  for (size_t at = 0; result.size() - at >= kFrameHeaderBytes;) {
    char* const header = result.data() + at;
    const auto checksum = static_cast<uint32_t>(XXH3_64bits(header, kChecksummedBytes));
    std::memcpy(header + kChecksummedBytes, &checksum, sizeof(checksum));
    uint32_t body_bytes = 0;
    std::memcpy(&body_bytes, header, sizeof(body_bytes));
    at += kFrameHeaderBytes;
    at += std::min<size_t>(body_bytes, result.size() - at);
  }
  return result;
}

// What was understood is understood the same when it is sent on.
template <typename Frame, typename Decode, typename Encode>
void expect_same_again(const absl::StatusOr<Frame>& frame, Decode decode, Encode encode) {
  if (!frame.ok()) return;
  const absl::StatusOr<Frame> again = decode(encode(*frame));
  WEIR_CHECK(again.ok() && *again == *frame) << again.status();
}

// Decodes every body, and skips the buffers of odd channels.
class DecodingHandler final : public FrameReader::Handler {
 public:
  absl::StatusOr<char*> memory_for(const FrameHeader& header) override {
    if (header.channel % 2 == 1) return nullptr;
    // Not a byte more: the address sanitizer watches its end.
    memory_ = std::make_unique<char[]>(header.body_bytes);
    return memory_.get();
  }
  absl::Status on_frame(const FrameHeader& header, std::string_view body) override {
    const EncodedHeader encoded = encode_header(header);
    expect_same_again<FrameHeader>(header, decode_header, [&](const FrameHeader&) {
      return std::string_view(encoded.data(), encoded.size());
    });
    switch (header.type) {
      case FrameType::kHello:
        expect_same_again(decode_hello(body), decode_hello, encode_hello);
        break;
      case FrameType::kOpen:
        expect_same_again(decode_open(body), decode_open, encode_open);
        break;
      case FrameType::kEvent:
        expect_same_again(decode_event(body), decode_event, encode_event);
        break;
      case FrameType::kError:
        WEIR_CHECK(!status_of_error(header, body).ok());
        break;
      default:
        break;
    }
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<char[]> memory_;
};

absl::Status read(std::string_view stream, size_t bytes_at_a_time) {
  DecodingHandler handler;
  FrameReader reader(handler);
  while (!stream.empty()) {
    size_t fed = 0;
    for (const std::span<char> space : reader.space()) {
      const size_t count = std::min({space.size(), bytes_at_a_time - fed, stream.size()});
      if (count > 0) std::memcpy(space.data(), stream.data(), count);
      stream.remove_prefix(count);
      fed += count;
    }
    if (absl::Status status = reader.advance(fed); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace weir

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::fuzz::FuzzInput input(data, size);
  const bool mends = input.byte() % 2 == 1;
  const std::size_t bytes_at_a_time = input.byte() + std::size_t{1};
  const std::string stream = mends ? weir::with_checksums(input.rest()) : std::string(input.rest());
  weir::read(stream, bytes_at_a_time).IgnoreError();
  return 0;
}
