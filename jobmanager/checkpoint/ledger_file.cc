#include "jobmanager/checkpoint/ledger_file.h"

#include <cstdint>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status.h"

namespace weir {

namespace {

constexpr char kPrefix[] = "ledger-";

std::string path_in(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : absl::StrCat(folder, "/", name);
}

absl::StatusOr<std::map<uint64_t, std::string>> paths_by_epoch(storage::CheckpointStorage& storage,
                                                               const std::string& folder) {
  std::map<uint64_t, std::string> paths;
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, storage.list(folder));
  for (const std::string& name : names) {
    absl::string_view epoch = name;
    uint64_t number = 0;
    if (absl::ConsumePrefix(&epoch, kPrefix) && absl::SimpleAtoi(epoch, &number)) {
      paths[number] = path_in(folder, name);
    }
  }
  return paths;
}

}  // namespace

absl::Status write_ledger_file(const pb::TransactionLedger& ledger,
                               storage::CheckpointStorage& storage, const std::string& folder) {
  WEIR_RETURN_IF_ERROR(storage.write_atomically(
      path_in(folder, absl::StrCat(kPrefix, ledger.leader_epoch())), ledger.SerializeAsString()));
  WEIR_ASSIGN_OR_RETURN(const auto paths, paths_by_epoch(storage, folder));
  for (const auto& [epoch, path] : paths) {
    if (epoch < ledger.leader_epoch()) WEIR_RETURN_IF_ERROR(storage.delete_file(path));
  }
  return absl::OkStatus();
}

absl::StatusOr<pb::TransactionLedger> read_ledger_file(storage::CheckpointStorage& storage,
                                                       const std::string& folder) {
  WEIR_ASSIGN_OR_RETURN(const auto paths, paths_by_epoch(storage, folder));
  if (paths.empty()) {
    return absl::NotFoundError(absl::StrCat("no ledger in ", storage.url_of(folder)));
  }
  const std::string& path = paths.rbegin()->second;
  WEIR_ASSIGN_OR_RETURN(const std::string bytes, storage.read(path));
  pb::TransactionLedger ledger;
  if (!ledger.ParseFromString(bytes)) {
    return absl::DataLossError(absl::StrCat("ledger ", storage.url_of(path), " can't be parsed"));
  }
  if (ledger.format_version() != 1) {
    return absl::FailedPreconditionError(absl::StrCat("ledger ", storage.url_of(path),
                                                      " has format ", ledger.format_version(),
                                                      ", this version reads format 1"));
  }
  return ledger;
}

}  // namespace weir
