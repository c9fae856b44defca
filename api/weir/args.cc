#include "weir/args.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <span>
#include <sstream>

#include "weir/error.h"

namespace weir {
namespace {

template <typename Number>
bool parse_number(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

[[noreturn]] void refuse(std::string_view name, std::string_view value, std::string_view expected) {
  throw FatalError("the argument --" + std::string(name) + " is '" + std::string(value) +
                   "': it must be " + std::string(expected));
}

std::string text_of(double number) {
  char digits[32];
  const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), number);
  return {digits, end};
}

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr Unit kTimeUnits[] = {
    {"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
// Of two names, the second is the one that is printed.
constexpr Unit kMemoryUnits[] = {{"", 1},          {"b", 1},         {"kib", 1 << 10},
                                 {"kb", 1 << 10},  {"mib", 1 << 20}, {"mb", 1 << 20},
                                 {"gib", 1 << 30}, {"gb", 1 << 30}};

// "5 s" in the smallest unit.
bool parse_quantity(std::string_view text, std::span<const Unit> units, std::int64_t* quantity) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  while (text.starts_with(' ')) text.remove_prefix(1);
  for (const Unit& unit : units) {
    if (text == unit.name) return !__builtin_mul_overflow(number, unit.factor, quantity);
  }
  return false;
}

// In the largest unit that loses nothing.
std::string text_of(std::int64_t quantity, std::span<const Unit> units) {
  const Unit* unit = &units.front();
  for (const Unit& candidate : units) {
    if (quantity != 0 && quantity % candidate.factor == 0) unit = &candidate;
  }
  return std::to_string(quantity / unit->factor) + std::string(unit->name);
}

std::string in_lower_case(std::string text) {
  for (char& letter : text) letter = static_cast<char>(std::tolower(letter));
  return text;
}

}  // namespace

Args::Args(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view name = words[i];
    if (!name.starts_with("--") || name.size() == 2) {
      throw FatalError("the job argument '" + words[i] +
                       "' is neither a --name nor the value of one");
    }
    name.remove_prefix(2);
    std::string value = "true";
    if (const std::size_t equals = name.find('='); equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    } else if (i + 1 < words.size() && !words[i + 1].starts_with("--")) {
      value = words[++i];
    }
    if (!values_.emplace(name, std::move(value)).second) {
      throw FatalError("the job argument --" + std::string(name) + " is given twice");
    }
  }
}

const std::string* Args::find_and_declare(std::string_view name, std::string default_text,
                                          bool required) {
  const auto is_it = [name](const Declared& declared) { return declared.name == name; };
  if (std::none_of(declared_.begin(), declared_.end(), is_it)) {
    declared_.push_back({std::string(name), std::move(default_text), required});
  }
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

std::string Args::get(std::string_view name) {
  const std::string* value = find_and_declare(name, "", true);
  return value == nullptr ? std::string() : *value;
}

std::string Args::get(std::string_view name, std::string_view default_value) {
  const std::string* value = find_and_declare(name, std::string(default_value), false);
  return value == nullptr ? std::string(default_value) : *value;
}

std::int64_t Args::get_int(std::string_view name, std::int64_t default_value) {
  const std::string* value = find_and_declare(name, std::to_string(default_value), false);
  if (value == nullptr) return default_value;
  std::int64_t number = 0;
  if (!parse_number(*value, &number)) refuse(name, *value, "a whole number");
  return number;
}

double Args::get_double(std::string_view name, double default_value) {
  const std::string* value = find_and_declare(name, text_of(default_value), false);
  if (value == nullptr) return default_value;
  double number = 0;
  if (!parse_number(*value, &number)) refuse(name, *value, "a number");
  return number;
}

bool Args::get_flag(std::string_view name) {
  const std::string* value = find_and_declare(name, "false", false);
  if (value == nullptr || *value == "false") return false;
  if (*value != "true") refuse(name, *value, "true or false");
  return true;
}

std::chrono::milliseconds Args::get_duration(std::string_view name,
                                             std::chrono::milliseconds default_value) {
  const std::string* value =
      find_and_declare(name, text_of(default_value.count(), kTimeUnits), false);
  if (value == nullptr) return default_value;
  std::int64_t duration_ms = 0;
  if (!parse_quantity(*value, kTimeUnits, &duration_ms)) {
    refuse(name, *value, "a duration such as 100ms, 5s, 10min, 1h or 1d");
  }
  return std::chrono::milliseconds(duration_ms);
}

std::int64_t Args::get_memory_size(std::string_view name, std::int64_t default_bytes) {
  const std::string* value = find_and_declare(name, text_of(default_bytes, kMemoryUnits), false);
  if (value == nullptr) return default_bytes;
  std::int64_t bytes = 0;
  if (!parse_quantity(in_lower_case(*value), kMemoryUnits, &bytes)) {
    refuse(name, *value, "an amount of memory such as 512kb, 8mb or 1gb");
  }
  return bytes;
}

std::string Args::usage() const {
  if (declared_.empty()) return "The job takes no arguments.\n";
  std::ostringstream text;
  text << "Arguments of the job:\n";
  for (const Declared& declared : declared_) {
    text << "  --" << declared.name;
    if (declared.required) {
      text << " (required)";
    } else if (!declared.default_text.empty()) {
      text << " (default: " << declared.default_text << ")";
    }
    text << '\n';
  }
  return text.str();
}

void Args::complain(const std::vector<std::string>& complaints) const {
  std::string text;
  for (const std::string& complaint : complaints) {
    if (!text.empty()) text += ", ";
    text += complaint;
  }
  throw FatalError(text + "\n" + usage());
}

std::vector<std::string> Args::missing() const {
  std::vector<std::string> complaints;
  for (const Declared& declared : declared_) {
    if (declared.required && !values_.contains(declared.name)) {
      complaints.push_back("the job argument --" + declared.name + " is missing");
    }
  }
  return complaints;
}

std::vector<std::string> Args::undeclared(const std::string& what) const {
  std::vector<std::string> complaints;
  for (const auto& [name, value] : values_) {
    const auto is_it = [&name = name](const Declared& declared) { return declared.name == name; };
    if (std::none_of(declared_.begin(), declared_.end(), is_it)) {
      complaints.push_back("the job " + what + " --" + name);
    }
  }
  return complaints;
}

void Args::check() const {
  std::vector<std::string> complaints = undeclared("takes no argument");
  const std::vector<std::string> missing_ones = missing();
  complaints.insert(complaints.end(), missing_ones.begin(), missing_ones.end());
  if (!complaints.empty()) complain(complaints);
}

void Args::check_required() const {
  std::vector<std::string> complaints = missing();
  if (complaints.empty()) return;
  const std::vector<std::string> not_asked_for = undeclared("hasn't asked for");
  complaints.insert(complaints.end(), not_asked_for.begin(), not_asked_for.end());
  complain(complaints);
}

}  // namespace weir
