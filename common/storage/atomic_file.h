#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir::storage {

// "can't WHAT PATH: reason; remedy", with a code by the kind of error: ENOSPC ResourceExhausted,
// EROFS FailedPrecondition, EACCES PermissionDenied, ENOENT NotFound, others Unavailable.
absl::Status errno_status(int error, std::string_view what, const std::string& path);

// Replaces the file by `parts`, one after the other, durably: a temporary file beside it is
// written, fsynced and renamed, and the folder is fsynced. Missing folders are made. On an error
// before the rename the temporary file is removed and the old file is untouched; after it the
// outcome is unknown.
absl::Status write_file_atomically(const std::string& path,
                                   std::initializer_list<std::string_view> parts);

absl::StatusOr<std::string> read_whole_file(const std::string& path);

// At most `length` bytes from `offset` on; fewer where the file ends.
absl::StatusOr<std::string> read_file_range(const std::string& path, uint64_t offset,
                                            uint64_t length);

// What a process that died while writing may have left behind.
bool is_temporary_file(std::string_view name);

}  // namespace weir::storage
