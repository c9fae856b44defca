#include "taskmanager/network/frame_reader.h"

#include <algorithm>
#include <cstring>

#include "common/check.h"
#include "common/status.h"

namespace weir {
namespace {

constexpr size_t kStagedBytes = 16 * 1024;

}  // namespace

FrameReader::FrameReader(Handler& handler) : handler_(handler), staged_(kStagedBytes) {}

std::array<std::span<char>, 2> FrameReader::space() {
  std::span<char> body;
  if (header_filled_ == kFrameHeaderBytes && body_) {
    body = {body_ + body_filled_, header_.body_bytes - body_filled_};
  }
  return {body, std::span<char>(staged_)};
}

absl::Status FrameReader::advance(size_t bytes) {
  const size_t direct = std::min(bytes, space()[0].size());
  if (direct > 0) {
    body_filled_ += direct;
    if (body_filled_ == header_.body_bytes) WEIR_RETURN_IF_ERROR(end_body());
  }
  WEIR_CHECK(bytes - direct <= staged_.size()) << bytes << " bytes";
  std::string_view staged(staged_.data(), bytes - direct);
  while (!staged.empty()) WEIR_RETURN_IF_ERROR(take(staged));
  return absl::OkStatus();
}

absl::Status FrameReader::take(std::string_view& bytes) {
  if (header_filled_ < kFrameHeaderBytes) {
    const size_t count = std::min(bytes.size(), kFrameHeaderBytes - header_filled_);
    std::memcpy(header_bytes_.data() + header_filled_, bytes.data(), count);
    header_filled_ += count;
    bytes.remove_prefix(count);
    return header_filled_ == kFrameHeaderBytes ? begin_body() : absl::OkStatus();
  }
  const size_t count = std::min(bytes.size(), header_.body_bytes - body_filled_);
  if (body_) std::memcpy(body_ + body_filled_, bytes.data(), count);
  body_filled_ += count;
  bytes.remove_prefix(count);
  return body_filled_ == header_.body_bytes ? end_body() : absl::OkStatus();
}

absl::Status FrameReader::begin_body() {
  WEIR_ASSIGN_OR_RETURN(header_, decode_header({header_bytes_.data(), kFrameHeaderBytes}));
  body_filled_ = 0;
  if (header_.type == FrameType::kBuffer) {
    WEIR_ASSIGN_OR_RETURN(body_, handler_.memory_for(header_));
  } else {
    small_body_.resize(header_.body_bytes);
    body_ = small_body_.data();
  }
  return header_.body_bytes == 0 ? end_body() : absl::OkStatus();
}

absl::Status FrameReader::end_body() {
  header_filled_ = 0;
  return body_ ? handler_.on_frame(header_, {body_, header_.body_bytes}) : absl::OkStatus();
}

}  // namespace weir
