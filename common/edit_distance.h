#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// Levenshtein: insertions, deletions and substitutions, each 1.
size_t edit_distance(std::string_view a, std::string_view b);

// The candidate with the smallest distance to `word`, for "did you mean"; empty if there are none.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace weir
