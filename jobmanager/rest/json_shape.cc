#include "jobmanager/rest/json_shape.h"

#include <fstream>
#include <stdexcept>

namespace weir::rest {

namespace {

std::string type_of(const Json& json) {
  if (json.is_number_float()) return "fraction";
  if (json.is_number_integer()) return "whole number";
  return json.type_name();
}

void compare(const std::string& path, const Json& expected, const Json& actual,
             std::vector<std::string>& differences) {
  if (type_of(expected) != type_of(actual)) {
    differences.push_back(path + ": " + type_of(actual) + " instead of " + type_of(expected));
    return;
  }
  if (expected.is_object()) {
    for (const auto& [key, value] : expected.items()) {
      if (actual.contains(key)) {
        compare(path + "/" + key, value, actual[key], differences);
      } else {
        differences.push_back(path + "/" + key + ": missing");
      }
    }
    for (const auto& [key, value] : actual.items()) {
      if (!expected.contains(key)) differences.push_back(path + "/" + key + ": not Flink's");
    }
  } else if (expected.is_array() && !expected.empty()) {
    for (size_t i = 0; i < actual.size(); ++i) {
      compare(path + "/" + std::to_string(i), expected[0], actual[i], differences);
    }
  }
}

}  // namespace

Json golden(const std::string& name) {
  const std::string path = std::string(WEIR_REST_TESTDATA) + "/" + name + ".json";
  std::ifstream file(path);
  if (!file) throw std::runtime_error("can't read " + path);
  return Json::parse(file);
}

std::vector<std::string> shape_differences(const Json& expected, const Json& actual) {
  std::vector<std::string> differences;
  compare("", expected, actual, differences);
  return differences;
}

}  // namespace weir::rest
