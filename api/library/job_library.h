// Loading of job libraries, by the client and by TaskManagers alike.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "weir/graph.h"

namespace weir {

// A loaded job library. Never unloaded: its code and types may be in use anywhere. Thread-safe.
class JobLibrary {
 public:
  // Checks and loads the library, once per process and contents. The errors name the path and the
  // remedy: not a shared object, no entry point, built with another ABI stamp, full protobuf.
  static absl::StatusOr<std::shared_ptr<const JobLibrary>> load(const std::string& path);

  // Calls the entry point and checks the graph. An exception of whatever type, an argument unknown
  // or missing (with the usage) and an incomplete graph become a status.
  absl::StatusOr<StreamGraph> build(const std::vector<std::string>& arguments) const;
  // The same, and the graph must be the one that was submitted.
  absl::StatusOr<StreamGraph> build(const std::vector<std::string>& arguments,
                                    std::uint64_t fingerprint) const;

  // The arguments that the entry point asks for, one per line. Those given may decide about others.
  absl::StatusOr<std::string> usage(const std::vector<std::string>& arguments) const;

  const std::string& path() const { return path_; }      // where it was loaded from first
  const std::string& name() const { return name_; }      // file name
  const std::string& sha256() const { return sha256_; }  // hex, of the file
  const std::string& abi_stamp() const { return abi_stamp_; }

 private:
  using Entry = void (*)(class StreamExecutionEnvironment&, class Args&);

  JobLibrary() = default;
  static absl::StatusOr<std::shared_ptr<const JobLibrary>> open(const std::string& path,
                                                                std::string sha256);

  std::string path_;
  std::string name_;
  std::string sha256_;
  std::string abi_stamp_;
  Entry entry_ = nullptr;
};

// Of this program: what a job library's must equal.
std::string abi_stamp();

// SHA-256 of a file's contents, in hex.
absl::StatusOr<std::string> sha256_of_file(const std::string& path);

}  // namespace weir
