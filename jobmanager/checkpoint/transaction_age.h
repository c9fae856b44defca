#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace weir {

// Watches that no prepared transaction stays uncommitted until the external system aborts it, which
// would lose its records. From half of the transaction timeout on it warns, and asks for a
// checkpoint where that may help: only a checkpoint's completion lets tasks commit. Pure; lives as
// long as its job's controller.
class TransactionAge {
 public:
  struct Verdict {
    std::string warning;  // "": there is no danger
    bool checkpoint = false;
  };

  // As the sink's coordinator has validated it; 0: its transactions never run out.
  void set_timeout(const std::string& sink_uid, std::chrono::milliseconds timeout);
  // The smallest; none if no transaction can run out.
  std::optional<std::chrono::milliseconds> timeout() const;

  // `oldest_prepared_ms`: wall time of the oldest uncommitted one. `may_checkpoint`: the job runs,
  // and no checkpoint is under way.
  Verdict check(std::optional<int64_t> oldest_prepared_ms, bool may_checkpoint, int64_t now_ms);
  // How often to call check().
  std::chrono::milliseconds check_interval() const;

 private:
  std::map<std::string, std::chrono::milliseconds> timeouts_;  // by sink uid
  int64_t next_checkpoint_ms_ = 0;
};

}  // namespace weir
