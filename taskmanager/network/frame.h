#pragma once

// The bytes between two TaskManagers: frames of a header and a body, numbers little-endian.
//
//   header, 20 bytes:
//     0  u32 body's bytes     4  u8 type      5  u8 flags      6  u16 backlog
//     8  u32 channel         12  u32 number  16  u32 checksum of bytes 0–15 (low half of XXH3)
//
//   type        from      channel   number            body
//   1 hello     both      –         –                 u32 magic, u16 version, sender's address
//   2 open      reader    new       first credits     partition, u32 channel of the partition
//   3 credit    reader    yes       credits           –
//   4 close     reader    yes       –                 –
//   5 buffer    producer  yes       1, 2, … with 6    elements; flag 1: the last one goes on
//   6 event     producer  yes       1, 2, … with 5    event; flag 2: priority
//   7 error     both      or none   status code       text
//
// The reader numbers the channels 1, 2, … in the order of their opening; 0 is none. The backlog, of
// buffers and events, says how many buffers wait at the producer, 65535 at most.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskmanager/network/event.h"
#include "taskmanager/network/partition_id.h"

namespace weir {

inline constexpr uint16_t kFrameVersion = 2;
inline constexpr size_t kFrameHeaderBytes = 20;
inline constexpr uint32_t kNoChannel = 0;

enum class FrameType : uint8_t {
  kHello = 1,
  kOpen = 2,
  kCredit = 3,
  kClose = 4,
  kBuffer = 5,
  kEvent = 6,
  kError = 7,
};

struct FrameHeader {
  FrameType type = FrameType::kHello;
  bool continued = false;
  bool priority = false;
  uint16_t backlog = 0;
  uint32_t channel = kNoChannel;
  uint32_t number = 0;
  uint32_t body_bytes = 0;

  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

using EncodedHeader = std::array<char, kFrameHeaderBytes>;
EncodedHeader encode_header(const FrameHeader& header);
// Says what is wrong: checksum, type, size of the body.
absl::StatusOr<FrameHeader> decode_header(std::string_view bytes);

// A frame with its body, but for buffers, whose bodies aren't copied.
std::string encode_frame(FrameHeader header, std::string_view body);

struct HelloFrame {
  uint16_t version = kFrameVersion;
  std::string address;  // of the sender's data port

  friend bool operator==(const HelloFrame&, const HelloFrame&) = default;
};
std::string encode_hello(const HelloFrame& hello);
// FailedPrecondition names both versions if they differ.
absl::StatusOr<HelloFrame> decode_hello(std::string_view body);

struct OpenFrame {
  PartitionId partition;
  int32_t channel = 0;

  friend bool operator==(const OpenFrame&, const OpenFrame&) = default;
};
std::string encode_open(const OpenFrame& open);
absl::StatusOr<OpenFrame> decode_open(std::string_view body);

std::string encode_event(const Event& event);
absl::StatusOr<Event> decode_event(std::string_view body);

// An error frame, and the status that it carries.
std::string encode_error_frame(uint32_t channel, const absl::Status& status);
absl::Status status_of_error(const FrameHeader& header, std::string_view body);

}  // namespace weir
