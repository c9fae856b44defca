#pragma once

#include <nlohmann/json.hpp>

namespace weir::rest {

// Keeps the order in which fields are set, which is Flink's.
using Json = nlohmann::ordered_json;

}  // namespace weir::rest
