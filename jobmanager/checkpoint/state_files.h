#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "jobmanager/checkpoint/shared_state_registry.h"
#include "proto/checkpoint.pb.h"
#include "proto/job_record.pb.h"

namespace weir {

// The state files of a job's checkpoints, in <checkpoint folder>/<job id>: those of a checkpoint go
// with its folder, shared ones when the last checkpoint that names them goes. Used only on the
// thread that writes the job's record; blocks on I/O.
//
// What is deleted was found unneeded before a write of the record that succeeded, or by it. So
// nothing of a later leader, which must write the record before its tasks begin, is ever among it.
class StateFiles {
 public:
  StateFiles(const std::string& checkpoint_folder, std::string job_id);

  // The folder of the files that several checkpoints may name.
  const std::string& shared_folder() const { return shared_folder_; }

  // An attempt is to begin: learns what the retained checkpoints name, and what earlier attempts
  // have left behind. Before the record is written.
  void take_stock(const pb::JobRecord& record);
  // After it.
  absl::Status delete_leftovers();

  // FailedPrecondition if the checkpoint counts on a shared file that is gone or isn't the job's.
  absl::Status check(const pb::CheckpointManifest& manifest) const;
  // The record names it.
  void retain(const std::string& checkpoint_path, const pb::CheckpointManifest& manifest);
  // Deletes what `before` retained and `after` doesn't, savepoints excepted.
  absl::Status delete_subsumed(const pb::JobRecord& before, const pb::JobRecord& after);
  // Deletes what is left of a checkpoint that no record will ever name. What tasks write of it
  // later goes with the next retained checkpoint: by then each has begun to store that one.
  absl::Status discard(const std::string& folder, const pb::CheckpointManifest& manifest);

 private:
  absl::Status find_leftovers(const pb::JobRecord& record);
  absl::Status delete_given_up(int64_t checkpoint);
  absl::Status delete_shared(const std::vector<std::string>& files) const;

  const std::string checkpoint_folder_;
  const std::string job_id_;
  const std::string shared_folder_;
  SharedStateRegistry registry_;
  // All retained manifests could be read. Else no shared file is deleted in this attempt.
  bool complete_ = true;
  std::map<int64_t, std::string> given_up_;  // folders of checkpoints that were discarded
  std::vector<std::string> leftover_folders_;
  std::vector<std::string> leftover_files_;
  std::vector<std::string> unfinished_files_;
};

// After the job's end: deletes what killed writers have left, and the shared files but those that
// the checkpoints name which `kept` retains.
absl::Status delete_shared_state(const std::string& job_id, const std::string& checkpoint_folder,
                                 const pb::JobRecord& kept);

// By address.
absl::Status delete_folder(const std::string& folder);

}  // namespace weir
