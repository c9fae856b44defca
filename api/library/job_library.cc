#include "api/library/job_library.h"

#include <dlfcn.h>

#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/library/elf_file.h"
#include "common/status.h"
#include "weir/args.h"
#include "weir/environment.h"
#include "weir/error.h"
#include "weir/job.h"

namespace weir {
namespace {

absl::Status check_elf(const std::string& path) {
  const absl::StatusOr<ElfFile> file = read_elf_file(path);
  if (!file.ok()) {
    return absl::Status(file.status().code(),
                        absl::StrCat(path, " isn't a job library: ", file.status().message()));
  }
  for (const char* symbol : {WEIR_JOB_ENTRY_SYMBOL, WEIR_JOB_STAMP_SYMBOL}) {
    if (!file->defined_symbols.contains(symbol)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " isn't a Weir job: it lacks the symbol ", symbol,
                       "; define the job by WEIR_JOB and build it with weir_add_job"));
    }
  }
  // Before it's loaded: with other types even its static initializers could do harm.
  const std::string stamp(file->defined_symbols.at(WEIR_JOB_STAMP_SYMBOL).c_str());
  if (stamp != WEIR_ABI_STAMP) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " was built with '", stamp, "' and this program with '", WEIR_ABI_STAMP,
        "': build the job again with this program's headers, compiler and build type"));
  }
  // Two libraries with the same proto file would abort the process when the second is loaded.
  bool needs_full_protobuf = file->embeds_protobuf_descriptors;
  for (const std::string& needed : file->needed) {
    needs_full_protobuf = needs_full_protobuf || needed.starts_with("libprotobuf.so");
  }
  if (needs_full_protobuf) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     " needs the full protobuf runtime, of which a process can hold each "
                     "proto file only once; generate its protos as LITE_RUNTIME: "
                     "weir_add_job(name sources… PROTOS x.proto)"));
  }
  return absl::OkStatus();
}

// Must be called in a catch block.
absl::Status status_of_exception() {
  try {
    throw;
  } catch (const FatalError& error) {
    return absl::InvalidArgumentError(error.what());
  } catch (const std::exception& error) {
    return absl::UnknownError(absl::StrCat("the job's entry point failed: ", error.what()));
  } catch (...) {
    return absl::UnknownError(
        "the job's entry point failed: it threw something that isn't a std::exception");
  }
}

}  // namespace

std::string abi_stamp() {
  return WEIR_ABI_STAMP;
}

absl::StatusOr<std::shared_ptr<const JobLibrary>> JobLibrary::load(const std::string& path) {
  static std::mutex mutex;
  static auto& by_sha256 = *new std::map<std::string, std::shared_ptr<const JobLibrary>>;

  std::error_code error;
  const std::filesystem::path real_path = std::filesystem::canonical(path, error);
  if (error) return absl::NotFoundError(absl::StrCat(path, ": ", error.message()));
  if (std::filesystem::is_directory(real_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " isn't a job library: it is a folder"));
  }
  const std::lock_guard lock(mutex);
  WEIR_ASSIGN_OR_RETURN(const std::string sha256, sha256_of_file(real_path));
  if (const auto found = by_sha256.find(sha256); found != by_sha256.end()) return found->second;
  WEIR_ASSIGN_OR_RETURN(std::shared_ptr<const JobLibrary> library, open(real_path, sha256));
  by_sha256.emplace(sha256, library);
  return library;
}

absl::StatusOr<std::shared_ptr<const JobLibrary>> JobLibrary::open(const std::string& path,
                                                                   std::string sha256) {
  WEIR_RETURN_IF_ERROR(check_elf(path));
  // The loader knows a file by its path and inode: a newer version would come back as the old one.
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(path,
                     ": an older version of this file is loaded in this process; give the "
                     "new one another name"));
  }
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(path, " can't be loaded: ", dlerror()));
  }
  std::shared_ptr<JobLibrary> library(new JobLibrary);
  library->path_ = path;
  library->name_ = std::filesystem::path(path).filename();
  library->sha256_ = std::move(sha256);
  library->abi_stamp_ = WEIR_ABI_STAMP;
  library->entry_ = reinterpret_cast<Entry>(dlsym(handle, WEIR_JOB_ENTRY_SYMBOL));
  return library;
}

absl::StatusOr<StreamGraph> JobLibrary::build(const std::vector<std::string>& arguments) const {
  try {
    Args args(arguments);
    StreamExecutionEnvironment environment;
    try {
      entry_(environment, args);
    } catch (...) {
      args.check_required();  // a missing argument is the likelier cause
      throw;
    }
    args.check();
    environment.graph().check();
    return environment.graph();
  } catch (...) {
    return Annotate(status_of_exception(), name_);
  }
}

absl::StatusOr<StreamGraph> JobLibrary::build(const std::vector<std::string>& arguments,
                                              std::uint64_t fingerprint) const {
  WEIR_ASSIGN_OR_RETURN(StreamGraph graph, build(arguments));
  if (graph.fingerprint() != fingerprint) {
    return absl::FailedPreconditionError(absl::StrCat(
        name_,
        ": the entry point built other streams than before with the same arguments; it must "
        "depend on nothing else: no clock, no random number, no file, no variable kept"));
  }
  return graph;
}

absl::StatusOr<std::string> JobLibrary::usage(const std::vector<std::string>& arguments) const {
  try {
    Args args(arguments);
    StreamExecutionEnvironment environment;
    try {
      entry_(environment, args);
    } catch (...) {  // likely by a missing argument: what was declared so far is the answer
    }
    return args.usage();
  } catch (...) {
    return Annotate(status_of_exception(), name_);
  }
}

}  // namespace weir
