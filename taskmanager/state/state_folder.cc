#include "taskmanager/state/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/storage/atomic_file.h"

namespace weir {
namespace {

constexpr char kPrefix[] = "weir-state-";

// A descriptor of the folder with its lock, or -1 with errno.
int open_locked(const std::string& folder, int how) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0 || ::flock(descriptor, how) == 0) return descriptor;
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return -1;
}

// By another process, which found the folder before it was locked.
bool is_deleted(int descriptor) {
  struct stat status = {};
  return ::fstat(descriptor, &status) != 0 || status.st_nlink == 0;
}

void sweep(const std::string& parent) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(parent, error), end; !error && at != end;
       at.increment(error)) {
    if (!at->path().filename().string().starts_with(kPrefix)) continue;
    const int descriptor = open_locked(at->path(), LOCK_EX | LOCK_NB);
    if (descriptor < 0) continue;
    std::error_code why;
    std::filesystem::remove_all(at->path(), why);
    ::close(descriptor);
    if (why) {
      WEIR_LOG_WARN({}, "can't delete {}, which a process that was killed has left: {}",
                    at->path().string(), why.message());
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateFolder>> StateFolder::create(const std::string& parent,
                                                                 const std::string& id) {
  std::error_code error;
  std::filesystem::create_directories(parent, error);
  if (error) return storage::errno_status(error.value(), "make folder", parent);
  sweep(parent);
  const std::string path = absl::StrCat(parent, "/", kPrefix, id);
  while (true) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return storage::errno_status(errno, "make folder", path);
    }
    const int descriptor = open_locked(path, LOCK_EX);
    if (descriptor < 0 && errno != ENOENT) return storage::errno_status(errno, "lock", path);
    if (descriptor >= 0 && !is_deleted(descriptor)) {
      return std::unique_ptr<StateFolder>(new StateFolder(path, descriptor));
    }
    if (descriptor >= 0) ::close(descriptor);
  }
}

StateFolder::StateFolder(std::string path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor) {}

StateFolder::~StateFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  ::close(descriptor_);
}

}  // namespace weir
