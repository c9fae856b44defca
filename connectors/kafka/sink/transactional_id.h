#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace weir::kafka {

// The transactional id `<prefix>:<uid>:<generation>:<subtask>:<slot>`. No two sinks share one,
// because ':' is in neither prefix nor uid; no two attempts either, because each has a generation
// of its own.
struct TransactionalId {
  std::string prefix;
  std::string uid;  // of the sink
  std::uint64_t generation = 0;
  int subtask = 0;
  int slot = 0;  // in the subtask's pool

  auto operator<=>(const TransactionalId&) const = default;
};

std::string format_transactional_id(const TransactionalId& id);

// Nothing if `text` isn't exactly what format_transactional_id() writes.
std::optional<TransactionalId> parse_transactional_id(std::string_view text);

// Whether `part` may be a prefix or uid; `name` says in the message which of them it is.
absl::Status check_transactional_id_part(std::string_view name, std::string_view part);

}  // namespace weir::kafka
