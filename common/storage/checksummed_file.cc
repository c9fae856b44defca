#include "common/storage/checksummed_file.h"

#include <xxhash.h>

#include <cstdint>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/status.h"
#include "common/storage/atomic_file.h"

namespace weir::storage {
namespace {

constexpr std::string_view kMagic = "WEIRFILE";
constexpr uint32_t kVersion = 1;
constexpr size_t kVersionOffset = 8;
constexpr size_t kLengthOffset = 16;
constexpr size_t kChecksumOffset = 24;
constexpr size_t kHeaderBytes = 32;

void append_little_endian(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

uint64_t read_little_endian(std::string_view bytes, size_t offset, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i);
  }
  return value;
}

uint64_t checksum_of(std::string_view header_start, std::string_view payload) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  WEIR_CHECK(state != nullptr);
  XXH3_64bits_reset(state.get());
  XXH3_64bits_update(state.get(), header_start.data(), header_start.size());
  XXH3_64bits_update(state.get(), payload.data(), payload.size());
  return XXH3_64bits_digest(state.get());
}

std::string make_header(std::string_view payload) {
  std::string header(kMagic);
  append_little_endian(header, kVersion, 4);
  append_little_endian(header, 0, 4);
  append_little_endian(header, payload.size(), 8);
  append_little_endian(header, checksum_of(header, payload), 8);
  return header;
}

// The payload within `bytes`.
absl::StatusOr<std::string_view> payload_of(std::string_view bytes, const std::string& name) {
  const std::string file = "checkpoint file " + name;
  if (bytes.size() < kHeaderBytes) {
    return absl::DataLossError(absl::StrCat(file, " is truncated: ", bytes.size(),
                                            " bytes, less than its header of ", kHeaderBytes));
  }
  if (!bytes.starts_with(kMagic)) {
    return absl::DataLossError(file + " isn't one of Weir's, or its first bytes are altered");
  }
  const uint64_t version = read_little_endian(bytes, kVersionOffset, 4);
  if (version != kVersion) {
    return absl::FailedPreconditionError(absl::StrCat(file, " has format version ", version,
                                                      ", this build reads version ", kVersion,
                                                      "; use the Weir that wrote it"));
  }
  const std::string_view payload = bytes.substr(kHeaderBytes);
  const uint64_t length = read_little_endian(bytes, kLengthOffset, 8);
  if (payload.size() < length) {
    return absl::DataLossError(absl::StrCat(file, " is truncated: ", bytes.size(), " of ",
                                            kHeaderBytes + length, " bytes"));
  }
  if (payload.size() > length) {
    return absl::DataLossError(absl::StrCat(file, " is altered: ", bytes.size(),
                                            " bytes instead of ", kHeaderBytes + length));
  }
  const uint64_t expected = read_little_endian(bytes, kChecksumOffset, 8);
  const uint64_t actual = checksum_of(bytes.substr(0, kChecksumOffset), payload);
  if (actual != expected) {
    return absl::DataLossError(absl::StrFormat(
        "%s is altered: its checksum is %016x instead of %016x", file, actual, expected));
  }
  return payload;
}

}  // namespace

std::string encode_checksummed(std::string_view payload) {
  return make_header(payload).append(payload);
}

absl::StatusOr<std::string> decode_checksummed(std::string_view bytes, const std::string& name) {
  WEIR_ASSIGN_OR_RETURN(const std::string_view payload, payload_of(bytes, name));
  return std::string(payload);
}

absl::Status write_checksummed_file(const std::string& path, std::string_view payload) {
  return write_file_atomically(path, {make_header(payload), payload});
}

absl::StatusOr<std::string> read_checksummed_file_range(const std::string& path, uint64_t offset,
                                                        uint64_t length) {
  WEIR_ASSIGN_OR_RETURN(std::string bytes, read_file_range(path, kHeaderBytes + offset, length));
  if (bytes.size() < length) {
    return absl::DataLossError(absl::StrCat("checkpoint file ", path,
                                            " is truncated: it ends before ",
                                            kHeaderBytes + offset + length, " bytes"));
  }
  return bytes;
}

absl::StatusOr<std::string> read_checksummed_file(const std::string& path) {
  WEIR_ASSIGN_OR_RETURN(std::string bytes, read_whole_file(path));
  WEIR_RETURN_IF_ERROR(payload_of(bytes, path).status());
  bytes.erase(0, kHeaderBytes);  // large files: no second copy
  return bytes;
}

}  // namespace weir::storage
