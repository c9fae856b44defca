#include "common/storage/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/file_descriptor.h"
#include "common/status.h"

namespace weir::storage {
namespace {

constexpr char kTemporaryPrefix[] = ".tmp-";

absl::Status sync_folder(const std::string& folder) {
  const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return errno_status(errno, "open", folder);
  if (::fsync(fd.get()) != 0) return errno_status(errno, "sync", folder);
  return absl::OkStatus();
}

std::string parent_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

// Each new folder's name is durable too, or a crash could lose the folder with the file in it.
absl::Status make_folders(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0755) == 0) return sync_folder(parent_of(folder));
  if (errno == EEXIST) return absl::OkStatus();
  if (errno != ENOENT || parent_of(folder) == folder) {
    return errno_status(errno, "make folder", folder);
  }
  WEIR_RETURN_IF_ERROR(make_folders(parent_of(folder)));
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return errno_status(errno, "make folder", folder);
  }
  return sync_folder(parent_of(folder));
}

absl::Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_status(errno, "write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status write_temporary(const std::string& temporary, const std::string& path,
                             std::initializer_list<std::string_view> parts) {
  const FileDescriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (fd.get() < 0) return errno_status(errno, "write", path);
  for (const std::string_view part : parts) {
    WEIR_RETURN_IF_ERROR(write_all(fd.get(), part, path));
  }
  WEIR_RETURN_IF_ERROR(WEIR_FAULT_POINT_STATUS("storage.written_not_synced"));
  if (::fsync(fd.get()) != 0) return errno_status(errno, "sync", path);
  return WEIR_FAULT_POINT_STATUS("storage.synced_not_renamed");
}

}  // namespace

absl::Status errno_status(int error, std::string_view what, const std::string& path) {
  const std::string cause = absl::StrCat("can't ", std::string(what), " ", path, ": ",
                                         std::generic_category().message(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(cause + "; free space there or choose another folder");
    case EROFS:
      return absl::FailedPreconditionError(cause + "; mount it writable or choose another folder");
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(absl::StrCat(cause, "; give user id ", ::geteuid(),
                                                      " the right to, or choose another folder"));
    case ENOENT:
      return absl::NotFoundError(cause + "; check the path");
    case EIO:
      return absl::UnavailableError(cause + "; check the disk, the kernel's log says more");
    default:
      return absl::UnavailableError(cause + "; check the path and the file system");
  }
}

absl::Status write_file_atomically(const std::string& path,
                                   std::initializer_list<std::string_view> parts) {
  static std::atomic<uint64_t> count{0};
  const std::string folder = parent_of(path);
  WEIR_RETURN_IF_ERROR(make_folders(folder));
  const std::string temporary =
      absl::StrCat(folder, "/", kTemporaryPrefix, ::getpid(), "-", count.fetch_add(1), "-",
                   std::filesystem::path(path).filename().string());
  absl::Status status = write_temporary(temporary, path, parts);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = errno_status(errno, "write", path);
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  WEIR_RETURN_IF_ERROR(WEIR_FAULT_POINT_STATUS("storage.renamed_not_durable"));
  return sync_folder(folder);
}

absl::StatusOr<std::string> read_whole_file(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return errno_status(errno, "read", path);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return errno_status(errno, "read", path);
  std::string bytes;
  bytes.reserve(static_cast<size_t>(info.st_size));
  char buffer[64 * 1024];
  while (true) {
    const ssize_t count = ::read(fd.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_status(errno, "read", path);
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(count));
  }
}

absl::StatusOr<std::string> read_file_range(const std::string& path, uint64_t offset,
                                            uint64_t length) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return errno_status(errno, "read", path);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return errno_status(errno, "read", path);
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  std::string bytes(offset < size ? std::min(length, size - offset) : 0, '\0');
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::pread(fd.get(), bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_status(errno, "read", path);
    if (count == 0) bytes.resize(done);
    done += static_cast<size_t>(count);
  }
  return bytes;
}

bool is_temporary_file(std::string_view name) {
  return name.starts_with(kTemporaryPrefix);
}

}  // namespace weir::storage
