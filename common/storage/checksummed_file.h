#pragma once

// A file that knows whether it is whole. Layout: docs/formats.md, "Checksummed file".

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir::storage {

// Atomic and durable (see write_file_atomically).
absl::Status write_checksummed_file(const std::string& path, std::string_view payload);

// DataLoss "checkpoint file PATH is truncated: 120 of 4096 bytes", "… is altered …"; NotFound;
// FailedPrecondition for a format version this build doesn't know.
absl::StatusOr<std::string> read_checksummed_file(const std::string& path);

// Bytes of the payload, unchecked. DataLoss if it ends before offset + length.
absl::StatusOr<std::string> read_checksummed_file_range(const std::string& path, uint64_t offset,
                                                        uint64_t length);

// The same in memory; `name` stands in the messages.
std::string encode_checksummed(std::string_view payload);
absl::StatusOr<std::string> decode_checksummed(std::string_view bytes, const std::string& name);

}  // namespace weir::storage
