#include "jobmanager/rest/sample_job.h"

#include "absl/strings/str_cat.h"

namespace weir::rest {

namespace {

void add_checkpoint(pb::JobDetails& job, int64_t id, const std::string& state, bool savepoint) {
  pb::CheckpointStatus* checkpoint = job.add_checkpoints();
  checkpoint->set_checkpoint_id(id);
  checkpoint->set_state(state);
  checkpoint->set_savepoint(savepoint);
  checkpoint->set_trigger_time_ms(kSampleNowMs - 1000 * (30 - id));
  checkpoint->set_end_to_end_duration_ms(10 * id);
  checkpoint->set_subtasks_total(2);
  checkpoint->set_subtasks_acknowledged(2);
  checkpoint->set_latest_acknowledgement_ms(checkpoint->trigger_time_ms() + 10 * id);
  if (state == "COMPLETED") {
    checkpoint->set_size_bytes(1000 * static_cast<uint64_t>(id));
    checkpoint->set_path(absl::StrCat("file:/data/", savepoint ? "savepoint-" : "chk-", id));
  } else {
    checkpoint->set_failure("Checkpoint expired before completing.");
  }
}

}  // namespace

pb::JobDetails sample_job() {
  pb::JobDetails job;
  pb::JobStatus* status = job.mutable_status();
  status->set_job_id(kSampleJob);
  status->set_name("WordCount");
  status->set_state("RUNNING");
  status->set_start_time_ms(kSampleNowMs - 55000);
  status->set_tasks_total(2);
  status->set_tasks_running(2);
  (*job.mutable_state_times_ms())["CREATED"] = kSampleNowMs - 54000;
  (*job.mutable_state_times_ms())["RUNNING"] = kSampleNowMs - 50000;
  (*job.mutable_configuration())["execution.checkpointing.interval"] = "2 s";
  (*job.mutable_configuration())["state.backend.type"] = "rocksdb";
  pb::VertexDetails* vertex = job.add_vertices();
  vertex->set_id(kSampleVertex);
  vertex->set_name("Source: lines -> tokenizer -> sink: Writer");
  vertex->set_parallelism(2);
  vertex->set_max_parallelism(128);
  vertex->set_start_time_ms(kSampleNowMs - 52000);
  vertex->set_records_out(700);
  vertex->set_busy_ms(40);
  (*vertex->mutable_tasks_by_state())["RUNNING"] = 2;
  for (int32_t i = 0; i < 2; ++i) {
    pb::SubtaskDetails* subtask = vertex->add_subtasks();
    subtask->set_subtask(i);
    subtask->set_state("RUNNING");
    subtask->set_taskmanager_id(absl::StrCat("127.0.0.1:4011", i, "-3f"));
    subtask->set_attempt(3);
    subtask->set_start_time_ms(kSampleNowMs - 52000);
    subtask->set_records_in(100 + 300 * static_cast<uint64_t>(i));
    subtask->set_busy_ms(15 + 10 * static_cast<uint64_t>(i));
    pb::TaskRates* rates = subtask->mutable_rates();
    rates->set_busy_ms(300);
    rates->set_backpressured_ms(100 + 500 * i);
    rates->set_idle_ms(600 - 500 * i);
    rates->set_records_in(2500.5);
  }
  job.mutable_checkpoint_counts()->set_total(3);
  job.mutable_checkpoint_counts()->set_completed(2);
  job.mutable_checkpoint_counts()->set_failed(1);
  add_checkpoint(job, 26, "FAILED", false);
  add_checkpoint(job, 25, "COMPLETED", true);
  add_checkpoint(job, 24, "COMPLETED", false);
  job.mutable_recovery_point()->set_checkpoint_id(24);
  job.mutable_recovery_point()->set_path("file:/data/chk-24");
  return job;
}

std::vector<TaskManagerInfo> sample_taskmanagers() {
  std::vector<TaskManagerInfo> all(2);
  for (int i = 0; i < 2; ++i) {
    all[i].id = absl::StrCat("127.0.0.1:4011", i, "-3f");
    all[i].host = "127.0.0.1";
    all[i].slots = 2;
    all[i].slots_free = 1;
    all[i].last_heartbeat_ms = kSampleNowMs;
    all[i].memory_bytes = 64 << 20;
  }
  return all;
}

}  // namespace weir::rest
