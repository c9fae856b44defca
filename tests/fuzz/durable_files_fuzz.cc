// Files that a JobManager finds when it starts or restores, with anything in them: manifests,
// ledgers, job records.
// Input: which file, 1 = its payload gets the envelope, the payload.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/check.h"
#include "common/storage/checkpoint_storage.h"
#include "common/storage/checksummed_file.h"
#include "google/protobuf/stubs/logging.h"
#include "jobmanager/checkpoint/checkpoint_loader.h"
#include "jobmanager/checkpoint/ledger_file.h"
#include "jobmanager/checkpoint/redistribute_state.h"
#include "jobmanager/checkpoint/shared_state_registry.h"
#include "jobmanager/metadata/file_metadata_store.h"
#include "jobmanager/plan/job_plan.h"
#include "jobmanager/plan/max_parallelism.h"
#include "tests/fuzz/fuzz_input.h"

namespace weir {
namespace {

constexpr const char* kJob = "00000000000000000000000000000001";

// In memory if the machine has such a folder; gone with the process.
class Folder {
 public:
  Folder() {
    const char* const parent = std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp";
    path_ = std::string(parent) + "/weir-fuzz-XXXXXX";
    WEIR_CHECK(mkdtemp(path_.data()) != nullptr);
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  void write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
  }

 private:
  std::string path_;
};

const Folder& folder() {
  static const Folder folder;
  return folder;
}

// What a JobManager does with a checkpoint that a job is to start from.
void restore(const pb::CheckpointManifest& manifest) {
  check_restorable(manifest, pb::JobGraph()).IgnoreError();
  TransactionLedger(kJob).add_checkpoint(manifest, manifest.trigger_time_ms());
  SharedStateRegistry registry("file:///checkpoints/job/shared/");
  registry.add("chk-1", manifest);
  registry.remove("chk-1");
  for (const pb::OperatorState& state : manifest.operators()) {
    for (const RestoringSubtask& to :
         {RestoringSubtask{.subtask = 1, .parallelism = 3, .max_parallelism = 128},
          RestoringSubtask{.subtask = 0, .parallelism = 1, .max_parallelism = 128}}) {
      redistribute_state(manifest, state.uid(), to);
    }
  }
}

void read_manifest(std::string_view file) {
  folder().write("_metadata", file);
  const absl::StatusOr<LoadedCheckpoint> loaded = load_checkpoint(folder().path());
  if (loaded.ok()) restore(loaded->manifest);
}

void read_ledger(std::string_view file) {
  folder().write("ledger-1", file);
  auto storage = storage::open_checkpoint_storage(folder().path());
  WEIR_CHECK(storage.ok()) << storage.status();
  const absl::StatusOr<pb::TransactionLedger> ledger = read_ledger_file(**storage, "");
  if (ledger.ok()) TransactionLedger{*ledger};
}

void read_job_record(std::string_view file) {
  static const auto store = FileMetadataStore::open(folder().path());
  WEIR_CHECK(store.ok()) << store.status();
  folder().write(std::string("jobs/") + kJob, file);
  const absl::StatusOr<VersionedJobRecord> record = (*store)->read(kJob);
  if (!record.ok()) return;
  const pb::JobGraph& graph = record->record.graph();
  if (const auto plan = JobPlan::make(graph); plan.ok()) {
    fix_max_parallelism(graph, graph.max_parallelism(), nullptr).IgnoreError();
    plan->slots_needed();
  }
}

}  // namespace
}  // namespace weir

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const google::protobuf::LogSilencer silence;
  weir::fuzz::FuzzInput input(data, size);
  const int kind = input.byte() % 3;
  const bool mends = input.byte() % 2 == 1;
  const std::string file =
      mends ? weir::storage::encode_checksummed(input.rest()) : std::string(input.rest());
  if (kind == 0) weir::read_manifest(file);
  if (kind == 1) weir::read_ledger(file);
  if (kind == 2) weir::read_job_record(file);
  return 0;
}
