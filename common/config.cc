#include "common/config.h"

#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config_options.h"
#include "common/edit_distance.h"
#include "common/status.h"

namespace weir {
namespace {

constexpr char kRedacted[] = "******";

// Keys of a Flink configuration that only size or tune a JVM.
constexpr std::array kJvmPrefixes = {
    "env.java.",
    "env.hadoop.",
    "env.hbase.",
    "env.yarn.",
    "pekko.",
    "akka.",
    "classloader.",
    "jobmanager.memory.",
    "taskmanager.memory.framework.",
    "taskmanager.memory.jvm-",
    "taskmanager.memory.flink.",
    "taskmanager.memory.task.heap.",
    "taskmanager.memory.task.off-heap.",
};

bool is_jvm_only(const std::string& key) {
  for (const char* prefix : kJvmPrefixes) {
    if (absl::StartsWith(key, prefix)) return true;
  }
  return false;
}

using Entries = std::vector<std::pair<std::string, std::string>>;

absl::Status flatten(const YAML::Node& node, const std::string& key, Entries& entries) {
  if (node.IsMap()) {
    for (const auto& child : node) {
      const std::string name = child.first.as<std::string>();
      WEIR_RETURN_IF_ERROR(
          flatten(child.second, key.empty() ? name : absl::StrCat(key, ".", name), entries));
    }
    return absl::OkStatus();
  }
  if (node.IsSequence()) {  // Flink's lists are separated by ';'
    std::string joined;
    for (const auto& item : node) {
      if (!item.IsScalar())
        return absl::InvalidArgumentError(key + ": a list of plain values expected");
      absl::StrAppend(&joined, joined.empty() ? "" : ";", item.Scalar());
    }
    entries.emplace_back(key, joined);
    return absl::OkStatus();
  }
  if (!node.IsScalar()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", key, "' has no value; give it one or leave it out"));
  }
  entries.emplace_back(key, node.Scalar());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Config> Config::load(const std::string& conf_dir,
                                    const std::vector<std::string>& overrides) {
  Config config;
  std::string folder = conf_dir;
  if (const char* from_environment = std::getenv("WEIR_CONF_DIR");
      folder.empty() && from_environment != nullptr) {
    folder = from_environment;
  }
  if (!folder.empty()) {
    const std::string path = folder + "/weir.yaml";
    std::ifstream file(path);
    if (!file) {
      return absl::NotFoundError(absl::StrCat(
          "can't read ", path, "; give the folder that holds weir.yaml by -c or WEIR_CONF_DIR"));
    }
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    WEIR_RETURN_IF_ERROR(config.add_yaml(text, path));
  }
  for (const std::string& assignment : overrides) {
    WEIR_RETURN_IF_ERROR(config.add_override(assignment));
  }
  return config;
}

absl::Status Config::add_yaml(const std::string& text, const std::string& source) {
  Entries entries;
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return absl::OkStatus();  // only comments
    if (!root.IsMap()) {
      return absl::InvalidArgumentError(source +
                                        ": keys and values expected, as in 'rest.port: 8081'");
    }
    WEIR_RETURN_IF_ERROR(Annotate(flatten(root, "", entries), source));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": line ", error.mark.line + 1, ": ", error.msg));
  }
  std::map<std::string, std::string> seen;
  for (const auto& [key, value] : entries) {
    if (!seen.emplace(key, value).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(source, ": '", key, "' is set twice; leave one out"));
    }
    WEIR_RETURN_IF_ERROR(Annotate(set(key, value), source));
  }
  return absl::OkStatus();
}

absl::Status Config::add_override(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat("-D", assignment, ": -Dkey=value expected"));
  }
  return Annotate(set(assignment.substr(0, equals), assignment.substr(equals + 1)), "-D");
}

absl::Status Config::set(const std::string& key, const std::string& value) {
  const OptionEntry* option = find_option(key);
  if (option == nullptr) {
    if (is_jvm_only(key)) {
      notes_.push_back(key + " has no effect: it is for a JVM, and Weir runs without one");
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("unknown key '", key, "'; the nearest is '",
                                                   nearest(key, option_keys()), "'"));
  }
  const absl::StatusOr<std::string> canonical = option->canonical_value(value);
  if (!canonical.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        key, ": '", is_secret_key(key) ? kRedacted : value,
        "': ", std::string(canonical.status().message()), "; expected ", option->expected));
  }
  if (key != option->key) {
    notes_.push_back(absl::StrCat(key, " is an older name of ", option->key));
  }
  values_[option->key] = *canonical;
  return absl::OkStatus();
}

void Config::merge(const Config& other) {
  for (const auto& [key, value] : other.values_) values_[key] = value;
  notes_.insert(notes_.end(), other.notes_.begin(), other.notes_.end());
}

std::map<std::string, std::string> Config::shown_values() const {
  std::map<std::string, std::string> shown = values_;
  for (auto& [key, value] : shown) {
    if (is_secret_key(key)) value = kRedacted;
  }
  return shown;
}

bool is_secret_key(std::string_view key) {
  std::string name = absl::AsciiStrToLower(absl::string_view(key.data(), key.size()));
  for (char& c : name) {
    if (c == '-' || c == '_') c = '.';
  }
  for (const char* word : {"password", "secret", "token", "access.key", "api.key", "apikey",
                           "jaas.config", "credential"}) {
    if (absl::StrContains(name, word)) return true;
  }
  return false;
}

}  // namespace weir
