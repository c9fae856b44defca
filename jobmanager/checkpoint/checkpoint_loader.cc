#include "jobmanager/checkpoint/checkpoint_loader.h"

#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/status.h"
#include "common/storage/checkpoint_storage.h"
#include "jobmanager/checkpoint/ledger_file.h"

namespace weir {

namespace {

constexpr char kManifestFile[] = "_metadata";

std::string parent_of(const std::string& folder) {
  return std::filesystem::path(folder).parent_path().string();
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

absl::StatusOr<LoadedCheckpoint> load_checkpoint(const std::string& path) {
  std::string folder = without_slash(path);
  if (std::filesystem::path(folder).filename() == kManifestFile) folder = parent_of(folder);
  const auto refuse = [&](const absl::Status& status) {
    if (absl::IsNotFound(status) || absl::IsInvalidArgument(status)) {
      return absl::NotFoundError(absl::StrCat(
          "'", path,
          "' isn't a checkpoint or savepoint: it has no _metadata; give the folder that "
          "was printed when it was completed (",
          std::string(status.message()), ")"));
    }
    return Annotate(status, absl::StrCat("can't restore from '", path, "'"));
  };
  auto storage = storage::open_checkpoint_storage(folder);
  if (!storage.ok()) return refuse(storage.status());
  const auto bytes = (*storage)->read(kManifestFile);
  if (!bytes.ok()) return refuse(bytes.status());
  LoadedCheckpoint loaded;
  loaded.folder = folder;
  if (!loaded.manifest.ParseFromString(*bytes)) {
    return refuse(absl::DataLossError("its _metadata can't be parsed"));
  }
  if (loaded.manifest.format_version() != 1) {
    return refuse(absl::FailedPreconditionError(absl::StrCat(
        "it has format ", loaded.manifest.format_version(), ", this version reads format 1")));
  }
  return loaded;
}

absl::StatusOr<TransactionLedger> load_ledger(const std::string& checkpoint_folder,
                                              const std::string& job_id) {
  WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(checkpoint_folder));
  const auto ledger = read_ledger_file(*storage, job_id);
  if (ledger.ok()) return TransactionLedger(*ledger);
  if (absl::IsNotFound(ledger.status())) return TransactionLedger(job_id);
  return ledger.status();
}

absl::StatusOr<TransactionLedger> load_ledger_of(const LoadedCheckpoint& checkpoint,
                                                 const std::string& checkpoint_folder,
                                                 const std::string& job_id) {
  const std::pair<std::string, std::string> places[] = {
      {checkpoint.folder, ""},
      {parent_of(checkpoint.folder), ""},
      {checkpoint_folder, checkpoint.manifest.job_id()}};
  TransactionLedger result(job_id);
  result.add_checkpoint(checkpoint.manifest, checkpoint.manifest.trigger_time_ms());
  for (const auto& [root, folder] : places) {
    WEIR_ASSIGN_OR_RETURN(auto storage, storage::open_checkpoint_storage(root));
    const auto found = read_ledger_file(*storage, folder);
    if (absl::IsNotFound(found.status())) continue;
    WEIR_RETURN_IF_ERROR(found.status());
    result.raise_generation(Generation(found->generation_max()));
    for (const pb::LedgerEntry& entry : found->entries()) {
      if (entry.state() == pb::LedgerEntry::PREPARED) continue;
      result.record_outcome(entry.sink_uid(), entry.committable().transaction(), entry.state(),
                            entry.message(), entry.changed_time_ms());
    }
  }
  return result;
}

namespace {

bool has_edge(const pb::JobGraph& graph, const pb::InFlightHandle::Stream& stream) {
  for (const pb::JobGraph::Node& node : graph.nodes()) {
    if (node.uid() != stream.consumer()) continue;
    for (const pb::JobGraph::Edge& edge : node.edges()) {
      if (graph.nodes(edge.from()).uid() == stream.producer() && edge.output() == stream.output() &&
          (edge.partitioning() == pb::JobGraph::HASH ||
           edge.partitioning() == pb::JobGraph::REBALANCE)) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

absl::Status check_restorable(const pb::CheckpointManifest& manifest, const pb::JobGraph& graph) {
  std::set<std::string> missing;
  for (const pb::OperatorState& state : manifest.operators()) {
    const bool empty = state.splits().empty() && state.committables().empty() &&
                       state.writer_state().empty() && !state.has_state() &&
                       state.keyed().empty() && state.lists().empty();
    if (!empty) missing.insert(state.uid());
  }
  for (const pb::CoordinatorState& state : manifest.coordinators()) missing.insert(state.uid());
  for (const pb::JobGraph::Node& node : graph.nodes()) missing.erase(node.uid());
  for (const pb::OperatorState& state : manifest.operators()) {
    for (const pb::InFlightHandle::Stream& stream : state.in_flight().streams()) {
      if (!has_edge(graph, stream)) {
        missing.insert(absl::StrCat(stream.consumer(), " (records from ", stream.producer(), ")"));
      }
    }
  }
  if (missing.empty() || graph.allow_non_restored_state()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the checkpoint holds state of operators that the job doesn't have: uid ",
                   absl::StrJoin(missing, ", "),
                   "; keep the uids, or drop that state with --allowNonRestoredState"));
}

}  // namespace weir
