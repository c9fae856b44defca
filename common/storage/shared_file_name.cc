#include "common/storage/shared_file_name.h"

#include <charconv>

namespace weir::storage {

std::string shared_file_name(std::string_view writer, int64_t checkpoint_id,
                             std::string_view local_name) {
  return std::string(writer) + "-" + std::to_string(checkpoint_id) + "-" + std::string(local_name);
}

std::optional<int64_t> checkpoint_of_shared_file(std::string_view name) {
  const size_t end = name.rfind('-');
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  const size_t begin = name.rfind('-', end - 1);
  if (begin == std::string_view::npos) return std::nullopt;
  int64_t checkpoint_id = 0;
  const char* const last = name.data() + end;
  const auto [parsed, error] = std::from_chars(name.data() + begin + 1, last, checkpoint_id);
  if (error != std::errc() || parsed != last) return std::nullopt;
  return checkpoint_id;
}

}  // namespace weir::storage
