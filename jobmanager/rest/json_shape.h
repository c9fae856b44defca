#pragma once

#include <string>
#include <vector>

#include "jobmanager/rest/json.h"

namespace weir::rest {

// A body that a Flink 2.0 answered: testdata/<name>.json. For tests only, as all here.
Json golden(const std::string& name);

// One line for each place where the keys or the types of `actual` aren't those of `expected`, by
// its path. Whole and fractional numbers are different types. Of arrays, every element is held
// against the expected array's first; an array that is empty in one of them says nothing. Null is
// expected to be null.
std::vector<std::string> shape_differences(const Json& expected, const Json& actual);

}  // namespace weir::rest
