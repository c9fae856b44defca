#include "connectors/kafka/sink/transaction_pool.h"

#include <algorithm>
#include <cstddef>

#include "common/check.h"

namespace weir::kafka {

std::optional<int> TransactionPool::start_preparing() {
  if (find(State::kReady) || find(State::kPreparing)) return std::nullopt;
  std::optional<int> slot = find(State::kFree);
  if (!slot) {
    slot = slot_count();
    states_.push_back(State::kFree);
  }
  move(*slot, State::kFree, State::kPreparing);
  return slot;
}

bool TransactionPool::init_succeeded(int slot, int init_attempts) {
  WEIR_CHECK(init_attempts >= 1) << "slot " << slot << " without a request";
  const bool usable = init_attempts == 1;
  move(slot, State::kPreparing, usable ? State::kReady : State::kRetired);
  return usable;
}

void TransactionPool::init_failed(int slot) {
  move(slot, State::kPreparing, State::kRetired);
}

std::optional<int> TransactionPool::open() {
  WEIR_CHECK(!is_open()) << "one transaction at a time";
  const std::optional<int> slot = find(State::kReady);
  if (slot) move(*slot, State::kReady, State::kOpen);
  return slot;
}

int TransactionPool::prepare() {
  const std::optional<int> slot = find(State::kOpen);
  WEIR_CHECK(slot.has_value()) << "no transaction is open";
  move(*slot, State::kOpen, State::kPrepared);
  return *slot;
}

void TransactionPool::release(int slot) {
  move(slot, State::kPrepared, State::kFree);
}

TransactionPool::State TransactionPool::state(int slot) const {
  WEIR_CHECK(slot >= 0 && slot < slot_count()) << "slot " << slot << " of " << slot_count();
  return states_[static_cast<size_t>(slot)];
}

int TransactionPool::count(State state) const {
  return static_cast<int>(std::count(states_.begin(), states_.end(), state));
}

std::optional<int> TransactionPool::find(State state) const {
  const auto found = std::find(states_.begin(), states_.end(), state);
  if (found == states_.end()) return std::nullopt;
  return static_cast<int>(found - states_.begin());
}

void TransactionPool::move(int slot, State from, State to) {
  WEIR_CHECK(state(slot) == from) << "slot " << slot << " is in state "
                                  << static_cast<int>(state(slot)) << ", not "
                                  << static_cast<int>(from);
  states_[static_cast<size_t>(slot)] = to;
}

}  // namespace weir::kafka
