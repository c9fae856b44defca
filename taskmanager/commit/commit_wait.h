#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace weir::kafka {

// Says why a writer takes no record when every transactional id of its pool awaits its commit: once
// when that begins and once when it is over. Pure: the time is passed in, as wall time.
class CommitWait {
 public:
  struct Change {
    bool begins = false;  // else it is over
    std::string message;
  };

  void prepared(int slot, std::int64_t checkpoint_id, std::int64_t now_ms);
  void released(int slot);
  // `exhausted`: of the pool.
  std::optional<Change> check(bool exhausted, std::int64_t now_ms);

 private:
  struct Prepared {
    std::int64_t checkpoint_id = 0;
    std::int64_t since_ms = 0;
  };

  std::map<int, Prepared> prepared_;  // by slot
  std::optional<std::int64_t> waits_since_ms_;
};

}  // namespace weir::kafka
