#include "jobmanager/checkpoint/shared_state_registry.h"

#include <utility>

#include "absl/strings/match.h"

namespace weir {

std::set<std::string> shared_files(const pb::CheckpointManifest& manifest) {
  std::set<std::string> files;
  for (const pb::OperatorState& state : manifest.operators()) {
    for (const pb::KeyedStateHandle& handle : state.keyed()) {
      for (const pb::KeyedStateHandle::File& file : handle.files()) {
        if (file.shared()) files.insert(file.path());
      }
    }
  }
  return files;
}

bool SharedStateRegistry::owns(const std::string& file) const {
  return absl::StartsWith(file, own_folder_);
}

void SharedStateRegistry::add(const std::string& checkpoint_path,
                              const pb::CheckpointManifest& manifest) {
  const auto [entry, added] = files_.try_emplace(checkpoint_path, shared_files(manifest));
  if (!added) return;
  for (const std::string& file : entry->second) ++names_[file];
}

std::vector<std::string> SharedStateRegistry::remove(const std::string& checkpoint_path) {
  std::vector<std::string> unnamed;
  const auto removed = files_.extract(checkpoint_path);
  if (removed.empty()) return unnamed;
  for (const std::string& file : removed.mapped()) {
    const auto name = names_.find(file);
    if (--name->second > 0) continue;
    names_.erase(name);
    if (owns(file)) unnamed.push_back(file);
  }
  return unnamed;
}

std::vector<std::string> SharedStateRegistry::unnamed(std::vector<std::string> files) const {
  std::erase_if(files, [&](const std::string& file) { return !owns(file) || is_named(file); });
  return files;
}

std::vector<std::string> SharedStateRegistry::unnamed(
    const pb::CheckpointManifest& manifest) const {
  const std::set<std::string> files = shared_files(manifest);
  return unnamed(std::vector<std::string>(files.begin(), files.end()));
}

}  // namespace weir
