#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::storage {

// The name of a file that a checkpoint has written and later ones may name too: of `writer`, a
// subtask's operator, its local file, whose name has no '-'.
// "operator2-0-1", 7, "000012.sst" → "operator2-0-1-7-000012.sst"
std::string shared_file_name(std::string_view writer, int64_t checkpoint_id,
                             std::string_view local_name);

// The checkpoint in whose course the file was written; nothing if the name is of another kind.
std::optional<int64_t> checkpoint_of_shared_file(std::string_view name);

}  // namespace weir::storage
