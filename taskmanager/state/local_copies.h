#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/storage/checkpoint_storage.h"

namespace weir {

// What this machine has of the files of one job's checkpoints, so that a task that restarts here
// needn't ask their storage. A file is found by its whole address, which no two attempts share.
// Hard links stand for files that never change; the others are written, with a checksum. None of it
// outlives the process, or must: whoever finds no copy, or a bad one, reads the storage.
//
//   copies.link(7, storage.url_of("job/shared/a-7-12.sst"), "/tmp/…/12.sst");  // checkpoint 7's
//   copies.completed(7);                                                       // older ones go
//   copies.link_to(url, size_bytes, "/tmp/…/12.sst");                          // NotFound: none
//
// Kept are those of the last completed checkpoint and of younger ones, not more than kPendingMost.
// What isn't kept any more is deleted by the next link() or write(), as that may take a while.
//
// Thread-safe.
class LocalCopies {
 public:
  static constexpr std::size_t kPendingMost = 4;

  // The folder is this object's own, made when it is needed, and deleted at the end.
  explicit LocalCopies(std::string folder);
  LocalCopies(const LocalCopies&) = delete;
  LocalCopies& operator=(const LocalCopies&) = delete;
  ~LocalCopies();

  // Of a file that never changes, on the folder's file system. A failure is told in the log only.
  void link(std::int64_t checkpoint, const std::string& url, const std::string& file);
  void write(std::int64_t checkpoint, const std::string& url, std::string_view bytes);

  // NotFound if there is no copy, DataLoss if it isn't as it was made.
  absl::Status link_to(const std::string& url, std::uint64_t size_bytes, const std::string& file);
  absl::StatusOr<std::string> read(const std::string& url, std::uint64_t size_bytes);
  // Where the written file can be read in parts, after it was looked at as a whole.
  struct Place {
    storage::CheckpointStorage* storage = nullptr;
    std::string path;
  };
  absl::StatusOr<Place> find_whole(const std::string& url, std::uint64_t size_bytes);

  void completed(std::int64_t checkpoint);
  void aborted(std::int64_t checkpoint);
  // Something is wrong with them.
  void forget_all();

 private:
  using Paths = std::map<std::string, std::string>;  // in the folder, by url

  void make(std::int64_t checkpoint, const std::string& url,
            absl::FunctionRef<absl::Status(const std::string& path)> make_file);
  std::string next_name(std::int64_t checkpoint);
  void add(std::int64_t checkpoint, const std::string& url, std::string path);
  absl::StatusOr<std::string> find(const std::string& url);
  void give_up(std::map<std::int64_t, Paths>::iterator checkpoint) WEIR_REQUIRES(mutex_);
  void delete_given_up();

  const std::string folder_;
  const std::unique_ptr<storage::CheckpointStorage> storage_;  // at the folder

  Mutex mutex_;
  std::int64_t files_ WEIR_GUARDED_BY(mutex_) = 0;  // ever made; names them
  // The checkpoint that is completed, or that was restored; 0: none.
  std::int64_t base_ WEIR_GUARDED_BY(mutex_) = 0;
  std::map<std::int64_t, Paths> checkpoints_ WEIR_GUARDED_BY(mutex_);
  std::vector<std::string> given_up_ WEIR_GUARDED_BY(mutex_);  // files to delete
};

}  // namespace weir
