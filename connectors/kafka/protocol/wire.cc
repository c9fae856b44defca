#include "connectors/kafka/protocol/wire.h"

#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"

namespace weir::kafka::protocol {
namespace {

template <typename Integer>
void append_big_endian(Integer value, std::string& data) {
  const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
  for (int shift = 8 * (static_cast<int>(sizeof(Integer)) - 1); shift >= 0; shift -= 8) {
    data.push_back(static_cast<char>(bits >> shift));
  }
}

template <typename Integer>
Integer from_big_endian(std::string_view bytes) {
  std::make_unsigned_t<Integer> bits = 0;
  for (const char byte : bytes) {
    bits = static_cast<decltype(bits)>(static_cast<uint64_t>(bits) << 8 |
                                       static_cast<unsigned char>(byte));
  }
  return static_cast<Integer>(bits);
}

}  // namespace

void Writer::int8(int8_t value) {
  append_big_endian(value, data_);
}
void Writer::int16(int16_t value) {
  append_big_endian(value, data_);
}
void Writer::int32(int32_t value) {
  append_big_endian(value, data_);
}
void Writer::int64(int64_t value) {
  append_big_endian(value, data_);
}

void Writer::unsigned_varint(uint32_t value) {
  while (value >= 0x80) {
    data_.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  data_.push_back(static_cast<char>(value));
}

void Writer::string(std::string_view value) {
  if (value.size() > std::numeric_limits<int16_t>::max()) {
    failed_ = true;
    return;
  }
  int16(static_cast<int16_t>(value.size()));
  data_.append(value);
}

void Writer::nullable_string(const std::optional<std::string>& value) {
  if (value) {
    string(*value);
  } else {
    int16(-1);
  }
}

void Writer::bytes(std::string_view value) {
  int32(static_cast<int32_t>(value.size()));
  data_.append(value);
}

void Writer::compact_string(std::string_view value) {
  unsigned_varint(static_cast<uint32_t>(value.size()) + 1);
  data_.append(value);
}

absl::Status Writer::finish() const {
  if (failed_) return absl::InvalidArgumentError("a name is longer than 32767 bytes");
  return absl::OkStatus();
}

std::string_view Reader::take(size_t size) {
  if (failed_ || size > rest_.size()) {
    failed_ = true;
    return {};
  }
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

int8_t Reader::int8() {
  return from_big_endian<int8_t>(take(1));
}
int16_t Reader::int16() {
  return from_big_endian<int16_t>(take(2));
}
int32_t Reader::int32() {
  return from_big_endian<int32_t>(take(4));
}
int64_t Reader::int64() {
  return from_big_endian<int64_t>(take(8));
}

uint32_t Reader::unsigned_varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    const auto byte = static_cast<unsigned char>(int8());
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (value > std::numeric_limits<uint32_t>::max()) break;
      return static_cast<uint32_t>(value);
    }
  }
  failed_ = true;
  return 0;
}

std::string Reader::string() {
  const int16_t size = int16();
  if (size < 0) failed_ = true;
  return std::string(take(failed_ ? 0 : static_cast<size_t>(size)));
}

std::optional<std::string> Reader::nullable_string() {
  const int16_t size = int16();
  if (size == -1) return std::nullopt;
  if (size < 0) failed_ = true;
  return std::string(take(failed_ ? 0 : static_cast<size_t>(size)));
}

std::string Reader::bytes() {
  const int32_t size = int32();
  if (size < 0) failed_ = true;
  return std::string(take(failed_ ? 0 : static_cast<size_t>(size)));
}

std::string Reader::compact_string() {
  const uint32_t size_plus_one = unsigned_varint();
  if (size_plus_one == 0) failed_ = true;
  return std::string(take(failed_ ? 0 : size_plus_one - 1));
}

std::optional<std::string> Reader::compact_nullable_string() {
  const uint32_t size_plus_one = unsigned_varint();
  if (size_plus_one == 0) return std::nullopt;
  return std::string(take(size_plus_one - 1));
}

size_t Reader::checked_count(int64_t count, size_t smallest_element_size) {
  if (count < 0) return 0;
  if (failed_ || static_cast<uint64_t>(count) > rest_.size() / smallest_element_size) {
    failed_ = true;
    return 0;
  }
  return static_cast<size_t>(count);
}

size_t Reader::array_length(size_t smallest_element_size) {
  const int32_t count = int32();
  if (count < -1) failed_ = true;
  return checked_count(count, smallest_element_size);
}

size_t Reader::compact_array_length(size_t smallest_element_size) {
  return checked_count(static_cast<int64_t>(unsigned_varint()) - 1, smallest_element_size);
}

void Reader::skip_tagged_fields() {
  constexpr size_t kSmallestField = 2;  // a tag and a size
  const size_t count = checked_count(unsigned_varint(), kSmallestField);
  for (size_t field = 0; field < count && !failed_; ++field) {
    unsigned_varint();
    take(unsigned_varint());
  }
}

absl::Status Reader::finish() const {
  if (failed_) return absl::InternalError("malformed: it ends, or has a length, that can't be");
  if (!rest_.empty()) {
    return absl::InternalError(absl::StrCat("malformed: ", rest_.size(), " bytes left over"));
  }
  return absl::OkStatus();
}

}  // namespace weir::kafka::protocol
