#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace weir::kafka::protocol {

// Kafka's primitive types, big-endian. "Compact" forms and tagged fields belong to the flexible
// versions of a message: lengths are unsigned varints, one more than the count, 0 for null.
class Writer {
 public:
  void int8(int8_t value);
  void int16(int16_t value);
  void int32(int32_t value);
  void int64(int64_t value);
  void boolean(bool value) { int8(value ? 1 : 0); }
  void unsigned_varint(uint32_t value);

  void string(std::string_view value);
  void nullable_string(const std::optional<std::string>& value);
  void bytes(std::string_view value);
  void array_length(size_t count) { int32(static_cast<int32_t>(count)); }
  void null_array() { int32(-1); }

  void compact_string(std::string_view value);
  void compact_array_length(size_t count) { unsigned_varint(static_cast<uint32_t>(count) + 1); }
  void no_tagged_fields() { unsigned_varint(0); }

  const std::string& data() const { return data_; }
  absl::Status finish() const;

 private:
  std::string data_;
  bool failed_ = false;
};

// Reads what a broker sent, which may be anything. The first read beyond the end, or of a length
// that can't be, fails the reader for good: later reads return zeros and empty values, and finish()
// tells. A length is believed only if the bytes for it are there, so memory stays within the frame.
class Reader {
 public:
  // `data` must outlive the reader.
  explicit Reader(std::string_view data) : rest_(data) {}

  int8_t int8();
  int16_t int16();
  int32_t int32();
  int64_t int64();
  bool boolean() { return int8() != 0; }
  uint32_t unsigned_varint();

  std::string string();
  std::optional<std::string> nullable_string();
  std::string bytes();
  // `smallest_element_size`: bytes that one element takes at least; null counts as empty.
  size_t array_length(size_t smallest_element_size);

  std::string compact_string();
  std::optional<std::string> compact_nullable_string();
  size_t compact_array_length(size_t smallest_element_size);
  void skip_tagged_fields();

  // For what the bytes allow and the protocol doesn't.
  void fail() { failed_ = true; }
  bool failed() const { return failed_; }
  // OK if every read was within the data and nothing is left over.
  absl::Status finish() const;

 private:
  std::string_view take(size_t size);
  size_t checked_count(int64_t count, size_t smallest_element_size);

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace weir::kafka::protocol
