#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace weir {

// The transaction that has waited longest for its commit.
struct OldestPrepared {
  int64_t since_ms = 0;  // wall time
  // Of the ledger; empty while no published checkpoint carries it.
  std::string transaction = {};
  std::string sink_uid = {};
  int64_t checkpoint = 0;  // whose barrier prepared it
};

// Watches that no prepared transaction stays uncommitted until the external system aborts it, which
// would lose its records. From half of the transaction timeout on it warns, and asks for a
// checkpoint where that may help: only a checkpoint's completion lets tasks commit. Pure; lives as
// long as its job's controller.
class TransactionAge {
 public:
  struct Verdict {
    std::string warning;  // the same as long as the transaction is; "": there is no danger
    bool begins = false;  // to be logged: there was no danger before
    bool ends = false;    // to be logged: there was
    bool checkpoint = false;
  };

  // As the sink's coordinator has validated it; 0: its transactions never run out.
  void set_timeout(const std::string& sink_uid, std::chrono::milliseconds timeout);
  // The smallest; none if no transaction can run out.
  std::optional<std::chrono::milliseconds> timeout() const;

  // `may_checkpoint`: the job runs, and no checkpoint is under way.
  Verdict check(const std::optional<OldestPrepared>& oldest, bool may_checkpoint, int64_t now_ms);
  // How often to call check().
  std::chrono::milliseconds check_interval() const;

 private:
  std::map<std::string, std::chrono::milliseconds> timeouts_;  // by sink uid
  bool in_danger_ = false;
  int64_t next_checkpoint_ms_ = 0;
};

}  // namespace weir
