#include "connectors/kafka/protocol/transaction_admin.h"

#include <array>
#include <utility>

namespace weir::kafka::protocol {
namespace {

constexpr std::array<std::pair<TransactionState, const char*>, 8> kStateNames = {{
    {TransactionState::kEmpty, "Empty"},
    {TransactionState::kOngoing, "Ongoing"},
    {TransactionState::kPrepareCommit, "PrepareCommit"},
    {TransactionState::kPrepareAbort, "PrepareAbort"},
    {TransactionState::kCompleteCommit, "CompleteCommit"},
    {TransactionState::kCompleteAbort, "CompleteAbort"},
    {TransactionState::kPrepareEpochFence, "PrepareEpochFence"},
    {TransactionState::kDead, "Dead"},
}};

}  // namespace

const char* transaction_state_name(TransactionState state) {
  for (const auto& [known, name] : kStateNames) {
    if (known == state) return name;
  }
  return "Unknown";
}

TransactionState transaction_state_from_name(const std::string& name) {
  for (const auto& [state, known] : kStateNames) {
    if (name == known) return state;
  }
  return TransactionState::kUnknown;
}

}  // namespace weir::kafka::protocol
