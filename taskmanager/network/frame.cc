#include "taskmanager/network/frame.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "taskmanager/network/buffer_pool.h"

namespace weir {
namespace {

constexpr uint32_t kMagic = 0x52494557;  // "WEIR"
constexpr size_t kChecksummedBytes = kFrameHeaderBytes - sizeof(uint32_t);
constexpr uint32_t kBodyBytesMax = 16 * 1024;  // but for buffers
constexpr size_t kErrorBytesMax = 4096;
constexpr uint8_t kContinuedFlag = 1;
constexpr uint8_t kPriorityFlag = 2;

// x86-64 and AArch64 are little-endian: a number is copied as it is.
template <typename T>
char* put(T number, char* at) {
  std::memcpy(at, &number, sizeof(number));
  return at + sizeof(number);
}
template <typename T>
void append(std::string& bytes, T number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}
void append_text(std::string& bytes, const std::string& text) {
  append(bytes, static_cast<uint16_t>(text.size()));
  bytes += text;
}

// Reads numbers from the front; all zero, and complete() false, when there are too few bytes.
class BodyReader {
 public:
  explicit BodyReader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T read() {
    T number{};
    if (bytes_.size() < sizeof(number)) {
      short_ = true;
      bytes_ = {};
      return number;
    }
    std::memcpy(&number, bytes_.data(), sizeof(number));
    bytes_.remove_prefix(sizeof(number));
    return number;
  }
  std::string read_text() {
    const auto size = read<uint16_t>();
    short_ = short_ || bytes_.size() < size;
    if (short_) return {};
    const std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }
  std::string_view rest() { return std::exchange(bytes_, {}); }
  // All was there, and nothing is left.
  bool complete() const { return !short_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool short_ = false;
};

uint32_t checksum(const char* header) {
  return static_cast<uint32_t>(XXH3_64bits(header, kChecksummedBytes));
}

absl::Status malformed(std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("malformed frame: ", absl::string_view(what.data(), what.size())));
}

uint32_t body_bytes_max(FrameType type) {
  return type == FrameType::kBuffer ? kBufferBytes : kBodyBytesMax;
}

}  // namespace

EncodedHeader encode_header(const FrameHeader& header) {
  const uint8_t flags =
      (header.continued ? kContinuedFlag : 0) | (header.priority ? kPriorityFlag : 0);
  EncodedHeader bytes;
  char* at = put(header.body_bytes, bytes.data());
  at = put(header.type, at);
  at = put(flags, at);
  at = put(header.backlog, at);
  at = put(header.channel, at);
  at = put(header.number, at);
  put(checksum(bytes.data()), at);
  return bytes;
}

absl::StatusOr<FrameHeader> decode_header(std::string_view bytes) {
  if (bytes.size() != kFrameHeaderBytes) return malformed("its header is cut");
  BodyReader reader(bytes);
  FrameHeader header;
  header.body_bytes = reader.read<uint32_t>();
  header.type = reader.read<FrameType>();
  const auto flags = reader.read<uint8_t>();
  header.continued = flags & kContinuedFlag;
  header.priority = flags & kPriorityFlag;
  header.backlog = reader.read<uint16_t>();
  header.channel = reader.read<uint32_t>();
  header.number = reader.read<uint32_t>();
  if (reader.read<uint32_t>() != checksum(bytes.data())) {
    return malformed("its checksum is wrong: not a TaskManager's data connection");
  }
  if (header.type < FrameType::kHello || header.type > FrameType::kError) {
    return malformed(absl::StrCat("its type ", static_cast<int>(header.type), " is unknown"));
  }
  if (flags & ~(kContinuedFlag | kPriorityFlag)) {
    return malformed(absl::StrCat("its flags ", flags, " are unknown"));
  }
  if (header.body_bytes > body_bytes_max(header.type)) {
    return malformed(absl::StrCat("its body of ", header.body_bytes, " bytes is too large"));
  }
  return header;
}

std::string encode_frame(FrameHeader header, std::string_view body) {
  WEIR_CHECK(body.size() <= body_bytes_max(header.type)) << body.size() << " bytes";
  header.body_bytes = static_cast<uint32_t>(body.size());
  const EncodedHeader bytes = encode_header(header);
  std::string frame(bytes.begin(), bytes.end());
  frame.append(body);
  return frame;
}

std::string encode_hello(const HelloFrame& hello) {
  std::string body;
  append(body, kMagic);
  append(body, hello.version);
  body += hello.address;
  return body;
}

absl::StatusOr<HelloFrame> decode_hello(std::string_view body) {
  BodyReader reader(body);
  const auto magic = reader.read<uint32_t>();
  HelloFrame hello;
  hello.version = reader.read<uint16_t>();
  hello.address = std::string(reader.rest());
  if (magic != kMagic || !reader.complete()) return malformed("its hello isn't a TaskManager's");
  if (hello.version != kFrameVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the TaskManager at ", hello.address, " speaks version ", hello.version,
        " of the data protocol, this one ", kFrameVersion, ": run the same Weir on both"));
  }
  return hello;
}

std::string encode_open(const OpenFrame& open) {
  std::string body;
  append(body, open.partition.job.high());
  append(body, open.partition.job.low());
  append(body, open.partition.attempt.value());
  append(body, open.partition.vertex);
  append(body, open.partition.edge);
  append(body, open.partition.subtask);
  append(body, open.channel);
  return body;
}

absl::StatusOr<OpenFrame> decode_open(std::string_view body) {
  BodyReader reader(body);
  const auto high = reader.read<uint64_t>();
  const auto low = reader.read<uint64_t>();
  OpenFrame open;
  open.partition.job = JobId(high, low);
  open.partition.attempt = Attempt(reader.read<int32_t>());
  open.partition.vertex = reader.read<int32_t>();
  open.partition.edge = reader.read<int32_t>();
  open.partition.subtask = reader.read<int32_t>();
  open.channel = reader.read<int32_t>();
  if (!reader.complete()) return malformed("its request for a channel has another size");
  return open;
}

std::string encode_event(const Event& event) {
  std::string body;
  append(body, event.kind);
  append(body, event.checkpoint.value());
  append(body, static_cast<uint8_t>(event.savepoint));
  append(body, static_cast<uint8_t>(event.stop_sources));
  append(body, event.trigger_time_ms);
  append(body, event.aligned_until_ms);
  append_text(body, event.folder);
  append_text(body, event.shared_folder);
  return body;
}

absl::StatusOr<Event> decode_event(std::string_view body) {
  BodyReader reader(body);
  Event event;
  event.kind = reader.read<Event::Kind>();
  event.checkpoint = CheckpointId(reader.read<int64_t>());
  event.savepoint = reader.read<uint8_t>() != 0;
  event.stop_sources = reader.read<uint8_t>() != 0;
  event.trigger_time_ms = reader.read<int64_t>();
  event.aligned_until_ms = reader.read<int64_t>();
  event.folder = reader.read_text();
  event.shared_folder = reader.read_text();
  if (!reader.complete() || event.kind < Event::Kind::kBarrier ||
      event.kind > Event::Kind::kEndOfPartition) {
    return malformed("its event is unknown");
  }
  return event;
}

std::string encode_error_frame(uint32_t channel, const absl::Status& status) {
  return encode_frame({.type = FrameType::kError,
                       .channel = channel,
                       .number = static_cast<uint32_t>(status.raw_code())},
                      std::string(status.message().substr(0, kErrorBytesMax)));
}

absl::Status status_of_error(const FrameHeader& header, std::string_view body) {
  const bool known = header.number > 0 && header.number <= 16;
  return absl::Status(
      known ? static_cast<absl::StatusCode>(header.number) : absl::StatusCode::kUnknown,
      absl::string_view(body.data(), body.size()));
}

}  // namespace weir
