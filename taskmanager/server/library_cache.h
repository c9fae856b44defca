#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "api/library/job_library.h"
#include "common/mailbox.h"
#include "common/mutex.h"

namespace weir {

// The job libraries of this host by content: fetched once, verified, loaded once per process.
// <folder>/<sha256>/<name> appears by a rename, so TaskManagers may share the folder, also those of
// several clusters; so nobody knows which libraries are needed, and those go that no TaskManager
// has loaded for a week.
//
// Thread rule: get() from any thread. `fetch` and the slow callbacks run on the cache's thread.
class LibraryCache {
 public:
  // Writes the library with this hash to the path.
  using Fetch = std::function<absl::Status(const std::string& sha256, const std::string& path)>;
  using Callback = std::function<void(absl::StatusOr<std::shared_ptr<const JobLibrary>>)>;

  LibraryCache(std::string folder, Fetch fetch);
  LibraryCache(const LibraryCache&) = delete;
  LibraryCache& operator=(const LibraryCache&) = delete;
  ~LibraryCache();  // waits for a fetch that is under way; drops the callbacks behind it

  // Calls back at once, on the caller's thread, if the library is loaded already: a restart waits
  // for nothing. InvalidArgument: it can't be a job of this program.
  void get(const std::string& sha256, const std::string& name, Callback callback);

 private:
  absl::StatusOr<std::shared_ptr<const JobLibrary>> load(const std::string& sha256,
                                                         const std::string& name);
  absl::Status fetch_verified(const std::string& sha256, const std::string& path);
  void remove_unused() const;
  std::shared_ptr<const JobLibrary> find(const std::string& sha256);

  const std::string folder_;
  const Fetch fetch_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<const JobLibrary>> loaded_ WEIR_GUARDED_BY(mutex_);
  Mailbox mailbox_;
};

}  // namespace weir
