#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proto/checkpoint.pb.h"

namespace weir {

// The files of incremental checkpoints that others may name too.
std::set<std::string> shared_files(const pb::CheckpointManifest& manifest);

// Which retained checkpoints name which shared files of incremental checkpoints: a file goes with
// the last that names it. Pure, one for each attempt, rebuilt from the retained manifests; used by
// the thread that writes the job's record.
//
// Invariant: what add() was told of and remove() wasn't is never among the files that are returned.
// Files outside of `own_folder`, of the checkpoint that another job left, are never among them.
class SharedStateRegistry {
 public:
  explicit SharedStateRegistry(std::string own_folder) : own_folder_(std::move(own_folder)) {}

  // A checkpoint is retained; its path is what a record calls it by.
  void add(const std::string& checkpoint_path, const pb::CheckpointManifest& manifest);
  // It isn't any more. Returns the files that nothing names now. Unknown ones return none.
  std::vector<std::string> remove(const std::string& checkpoint_path);

  bool is_named(const std::string& file) const { return names_.contains(file); }
  // Those of `files` that no retained checkpoint names.
  std::vector<std::string> unnamed(std::vector<std::string> files) const;
  // Of a checkpoint that isn't retained: its own job's shared files that nothing names.
  std::vector<std::string> unnamed(const pb::CheckpointManifest& manifest) const;

 private:
  bool owns(const std::string& file) const;

  std::string own_folder_;                              // "file:///checkpoints/<job id>/shared/"
  std::map<std::string, std::set<std::string>> files_;  // by checkpoint
  std::map<std::string, int> names_;                    // how many checkpoints name the file
};

}  // namespace weir
