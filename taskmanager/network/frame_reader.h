#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskmanager/network/frame.h"

namespace weir {

// Cuts a stream of bytes into frames, however it comes in pieces. The bodies of buffers are read to
// where they belong; only what came together with something else is copied.
//
//   const size_t bytes = readv(socket, reader.space());
//   status = reader.advance(bytes);
//
// Pure: no socket. Not thread-safe.
class FrameReader {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // Memory for the body of a buffer's frame, header.body_bytes; null: it is skipped, and
    // on_frame isn't called.
    virtual absl::StatusOr<char*> memory_for(const FrameHeader& header) = 0;
    // `body` is valid during the call; of a buffer it's where memory_for said.
    virtual absl::Status on_frame(const FrameHeader& header, std::string_view body) = 0;
  };

  explicit FrameReader(Handler& handler);

  // Where the next bytes go: the first span, which may be empty, then the second.
  std::array<std::span<char>, 2> space();
  // So many bytes came. After an error, the handler's or that of a malformed frame, the stream
  // can't be read on.
  absl::Status advance(size_t bytes);

 private:
  absl::Status take(std::string_view& bytes);
  absl::Status begin_body();
  absl::Status end_body();

  Handler& handler_;
  std::vector<char> staged_;
  EncodedHeader header_bytes_;
  size_t header_filled_ = 0;
  FrameHeader header_;
  std::string small_body_;  // of frames other than buffers
  char* body_ = nullptr;    // null: skipped
  size_t body_filled_ = 0;
};

}  // namespace weir
