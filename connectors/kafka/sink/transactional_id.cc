#include "connectors/kafka/sink/transactional_id.h"

#include <array>
#include <charconv>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace weir::kafka {
namespace {

constexpr size_t kPartLengthMax = 1000;  // Kafka's ids end at 32767 bytes

// Only as std::to_string writes it, so that two ids never name one transaction.
template <typename Integer>
bool parse_number(std::string_view text, Integer* value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && rest == end && text[0] != '-' &&
         (text[0] != '0' || text.size() == 1);
}

}  // namespace

std::string format_transactional_id(const TransactionalId& id) {
  return absl::StrCat(id.prefix, ":", id.uid, ":", id.generation, ":", id.subtask, ":", id.slot);
}

std::optional<TransactionalId> parse_transactional_id(std::string_view text) {
  std::array<std::string_view, 5> parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t colon = text.find(':');
    const bool last = i + 1 == parts.size();
    if ((colon == std::string_view::npos) != last) return std::nullopt;
    parts[i] = text.substr(0, colon);
    if (parts[i].empty()) return std::nullopt;
    if (!last) text.remove_prefix(colon + 1);
  }
  TransactionalId id{.prefix = std::string(parts[0]), .uid = std::string(parts[1])};
  if (!parse_number(parts[2], &id.generation) || !parse_number(parts[3], &id.subtask) ||
      !parse_number(parts[4], &id.slot)) {
    return std::nullopt;
  }
  return id;
}

absl::Status check_transactional_id_part(std::string_view name, std::string_view part) {
  const std::string what(name);
  if (part.empty()) return absl::InvalidArgumentError(absl::StrCat("the ", what, " is empty"));
  if (part.find(':') != std::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("the ", what, " '", std::string(part),
                                                   "' contains ':', which separates the parts of "
                                                   "transactional ids: choose one without"));
  }
  if (part.size() > kPartLengthMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ", what, " is longer than ", kPartLengthMax, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace weir::kafka
