#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config_option.h"

namespace weir {

// The effective configuration: keys and values, every one checked when it is set, so that get()
// can't fail. A value type; not synchronised.
class Config {
 public:
  Config() = default;

  // `conf_dir`/weir.yaml, then the `overrides` ("key=value", as after -D), later ones winning. An
  // empty `conf_dir` means $WEIR_CONF_DIR, and no file if that isn't set either.
  static absl::StatusOr<Config> load(const std::string& conf_dir,
                                     const std::vector<std::string>& overrides);

  // Keys nested or dotted; `source` stands in the errors.
  absl::Status add_yaml(const std::string& text, const std::string& source);
  // "key=value"
  absl::Status add_override(const std::string& assignment);
  // InvalidArgument for an unknown key (with the nearest known one) and for a bad value (with what
  // is expected). A key that only means something to a JVM is left out, with a note.
  absl::Status set(const std::string& key, const std::string& value);
  // What `other` sets wins.
  void merge(const Config& other);

  template <typename T>
  T get(const ConfigOption<T>& option) const {
    const auto found = values_.find(option.key);
    return found == values_.end() ? option.default_value : *parse_config_value<T>(found->second);
  }
  template <typename T>
  bool contains(const ConfigOption<T>& option) const {
    return values_.contains(option.key);
  }

  // What was set, by the keys' current spelling.
  const std::map<std::string, std::string>& values() const { return values_; }
  // The same for eyes: the values of secrets are ******.
  std::map<std::string, std::string> shown_values() const;
  // One line for each key that was accepted without effect or under an older name; to be logged.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> notes_;
};

// Whether values under this name are secret: passwords, tokens, access keys. Also for job arguments
// and client properties.
bool is_secret_key(std::string_view key);

}  // namespace weir
