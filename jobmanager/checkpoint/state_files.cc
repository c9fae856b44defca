#include "jobmanager/checkpoint/state_files.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "common/storage/checkpoint_storage.h"
#include "common/storage/shared_file_name.h"
#include "jobmanager/checkpoint/checkpoint_loader.h"

namespace weir {

namespace {

struct Place {
  std::unique_ptr<storage::CheckpointStorage> storage;
  std::string name;
};

absl::StatusOr<Place> open_parent(const std::string& address) {
  WEIR_ASSIGN_OR_RETURN(const storage::SplitAddress split, storage::split_address(address, 1));
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(split.root));
  return Place{std::move(storage), split.path};
}

// If the root can't be one, the first checkpoint will say so.
std::string address_of(const std::string& root, const std::string& path) {
  const auto storage = storage::open_checkpoint_storage(root);
  return storage.ok() ? (*storage)->url_of(path) : absl::StrCat(root, "/", path);
}

std::string shared_folder_of(const std::string& job_id) {
  return absl::StrCat(job_id, "/shared");
}

// Files of writers that were killed, in the job's folder and the shared one.
absl::StatusOr<std::vector<std::string>> unfinished_files(storage::CheckpointStorage& storage,
                                                          const std::string& job_id) {
  std::vector<std::string> paths;
  for (const std::string& folder : {job_id, shared_folder_of(job_id)}) {
    WEIR_ASSIGN_OR_RETURN(const auto names, storage.list_unfinished(folder));
    for (const std::string& name : names) paths.push_back(absl::StrCat(folder, "/", name));
  }
  return paths;
}

bool retains(const pb::JobRecord& record, const std::string& path) {
  return std::any_of(record.checkpoints().begin(), record.checkpoints().end(),
                     [&](const auto& pointer) { return pointer.path() == path; });
}

}  // namespace

absl::Status delete_folder(const std::string& folder) {
  WEIR_ASSIGN_OR_RETURN(const Place place, open_parent(folder));
  return place.storage->delete_folder(place.name);
}

StateFiles::StateFiles(const std::string& checkpoint_folder, std::string job_id)
    : checkpoint_folder_(checkpoint_folder),
      job_id_(std::move(job_id)),
      shared_folder_(address_of(checkpoint_folder, shared_folder_of(job_id_))),
      registry_(absl::StrCat(shared_folder_, "/")) {}

void StateFiles::take_stock(const pb::JobRecord& record) {
  registry_ = SharedStateRegistry(absl::StrCat(shared_folder_, "/"));
  complete_ = true;
  for (const pb::CheckpointPointer& pointer : record.checkpoints()) {
    const auto loaded = load_checkpoint(pointer.path());
    complete_ = complete_ && loaded.ok();
    if (loaded.ok()) registry_.add(pointer.path(), loaded->manifest);
  }
  given_up_.clear();
  leftover_folders_.clear();
  leftover_files_.clear();
  unfinished_files_.clear();
  complete_ = complete_ && find_leftovers(record).ok();
}

absl::Status StateFiles::find_leftovers(const pb::JobRecord& record) {
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(checkpoint_folder_));
  WEIR_ASSIGN_OR_RETURN(unfinished_files_, unfinished_files(*storage, job_id_));
  WEIR_ASSIGN_OR_RETURN(const auto names, storage->list(job_id_));
  for (const std::string& name : names) {
    const std::string folder = storage->url_of(absl::StrCat(job_id_, "/", name));
    if (absl::StartsWith(name, "chk-") && !retains(record, folder)) {
      leftover_folders_.push_back(folder);
    }
  }
  WEIR_ASSIGN_OR_RETURN(std::vector<std::string> files, storage->list(shared_folder_of(job_id_)));
  for (std::string& file : files) file = absl::StrCat(shared_folder_, "/", file);
  leftover_files_ = registry_.unnamed(std::move(files));
  return absl::OkStatus();
}

absl::Status StateFiles::delete_leftovers() {
  absl::Status first_error;
  for (const std::string& folder : std::exchange(leftover_folders_, {})) {
    first_error.Update(delete_folder(folder));
  }
  first_error.Update(delete_shared(std::exchange(leftover_files_, {})));
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(checkpoint_folder_));
  for (const std::string& path : std::exchange(unfinished_files_, {})) {
    first_error.Update(storage->delete_file(path));
  }
  return first_error;
}

absl::Status StateFiles::check(const pb::CheckpointManifest& manifest) const {
  for (const std::string& file : shared_files(manifest)) {
    if (registry_.is_named(file)) continue;
    if (!absl::StartsWith(file, absl::StrCat(shared_folder_, "/"))) {
      return absl::FailedPreconditionError(absl::StrCat(
          "it counts on '", file, "', which isn't in its job's folder ", shared_folder_));
    }
    WEIR_ASSIGN_OR_RETURN(const Place place, open_parent(file));
    WEIR_ASSIGN_OR_RETURN(const bool exists, place.storage->exists(place.name));
    if (!exists) {
      return absl::FailedPreconditionError(
          absl::StrCat("it counts on '", file,
                       "', which is gone: a checkpoint before it was dropped meanwhile"));
    }
  }
  return absl::OkStatus();
}

void StateFiles::retain(const std::string& checkpoint_path,
                        const pb::CheckpointManifest& manifest) {
  registry_.add(checkpoint_path, manifest);
}

absl::Status StateFiles::delete_subsumed(const pb::JobRecord& before, const pb::JobRecord& after) {
  absl::Status first_error;
  for (const pb::CheckpointPointer& old : before.checkpoints()) {
    if (retains(after, old.path())) continue;
    if (!old.savepoint()) first_error.Update(delete_folder(old.path()));
    first_error.Update(delete_shared(registry_.remove(old.path())));
  }
  if (!after.checkpoints().empty()) {
    first_error.Update(delete_given_up(after.checkpoints().rbegin()->checkpoint_id()));
  }
  return first_error;
}

// Those before this one, of which nothing is written any more.
absl::Status StateFiles::delete_given_up(int64_t checkpoint) {
  const auto end = given_up_.lower_bound(checkpoint);
  if (end == given_up_.begin()) return absl::OkStatus();
  absl::Status first_error;
  for (auto at = given_up_.begin(); at != end; ++at) first_error.Update(delete_folder(at->second));
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(checkpoint_folder_));
  WEIR_ASSIGN_OR_RETURN(const auto names, storage->list(shared_folder_of(job_id_)));
  std::vector<std::string> files;
  for (const std::string& name : names) {
    const auto of = storage::checkpoint_of_shared_file(name);
    if (of && *of < checkpoint && given_up_.contains(*of)) {
      files.push_back(absl::StrCat(shared_folder_, "/", name));
    }
  }
  first_error.Update(delete_shared(registry_.unnamed(std::move(files))));
  given_up_.erase(given_up_.begin(), end);
  return first_error;
}

absl::Status StateFiles::discard(const std::string& folder,
                                 const pb::CheckpointManifest& manifest) {
  given_up_[manifest.checkpoint_id()] = folder;
  absl::Status first_error = delete_folder(folder);
  first_error.Update(delete_shared(registry_.unnamed(manifest)));
  return first_error;
}

absl::Status StateFiles::delete_shared(const std::vector<std::string>& files) const {
  absl::Status first_error;
  if (!complete_) return first_error;
  for (const std::string& file : files) {
    const auto place = open_parent(file);
    first_error.Update(place.ok() ? place->storage->delete_file(place->name) : place.status());
  }
  return first_error;
}

absl::Status delete_shared_state(const std::string& job_id, const std::string& checkpoint_folder,
                                 const pb::JobRecord& kept) {
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(checkpoint_folder));
  absl::Status first_error;
  WEIR_ASSIGN_OR_RETURN(const auto unfinished, unfinished_files(*storage, job_id));
  for (const std::string& path : unfinished) first_error.Update(storage->delete_file(path));
  const std::string folder = shared_folder_of(job_id);
  bool any_left = false;
  SharedStateRegistry registry(storage->url_of(absl::StrCat(folder, "/")));
  for (const pb::CheckpointPointer& pointer : kept.checkpoints()) {
    const auto loaded = load_checkpoint(pointer.path());
    if (absl::IsNotFound(loaded.status())) continue;  // its owner has deleted it
    WEIR_RETURN_IF_ERROR(loaded.status());
    registry.add(pointer.path(), loaded->manifest);
    any_left = true;
  }
  if (!any_left) {
    first_error.Update(storage->delete_folder(folder));
    return first_error;
  }
  WEIR_ASSIGN_OR_RETURN(const auto names, storage->list(folder));
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(folder, "/", name);
    if (!registry.is_named(storage->url_of(path))) first_error.Update(storage->delete_file(path));
  }
  return first_error;
}

}  // namespace weir
