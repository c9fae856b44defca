#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace weir {

// A TaskManager's own folder for working state, `<parent>/weir-state-<id>`, deleted with this
// object. What a killed process has left behind is deleted by the next that starts under the same
// parent: a living one holds a lock on its folder (flock), which ends with the process.
//
//   WEIR_ASSIGN_OR_RETURN(auto folder, StateFolder::create("/tmp", "host:4711-af2b"));
class StateFolder {
 public:
  // Makes the parent too. The id is of this process alone.
  static absl::StatusOr<std::unique_ptr<StateFolder>> create(const std::string& parent,
                                                             const std::string& id);
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;
  ~StateFolder();

  const std::string& path() const { return path_; }

 private:
  StateFolder(std::string path, int descriptor);

  const std::string path_;
  const int descriptor_;  // of the folder, locked
};

}  // namespace weir
