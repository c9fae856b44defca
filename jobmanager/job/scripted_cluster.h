#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/status_matchers.h"
#include "jobmanager/job/dispatcher.h"
#include "jobmanager/metadata/file_metadata_store.h"

namespace weir {

// One end of a stream; keeps what was sent to it.
class FakeStream final : public rpc::Stream<pb::ToTaskManager> {
 public:
  absl::Status send(pb::ToTaskManager message) override {
    inbox.push_back(std::move(message));
    return absl::OkStatus();
  }
  void close() override { ended = true; }
  void cancel(absl::Status) override { ended = true; }

  std::vector<pb::ToTaskManager> inbox;
  bool ended = false;
};

template <typename T>
Reply<T> into(std::optional<absl::StatusOr<T>>& answer) {
  return Reply<T>([&answer](absl::StatusOr<T> given) { answer = std::move(given); });
}

// Whole lives of jobs: the real dispatcher, controllers, writers and files, with TaskManagers that
// are scripted and a clock that stands still. One thread runs it all.
class ScriptedCluster : public testing::Test {
 protected:
  // Answers everything as a healthy TaskManager does, unless told otherwise.
  struct TaskManager {
    std::string id;
    uint64_t session = 0;
    std::shared_ptr<FakeStream> stream;
    bool commits = true;         // reports COMMITTED on notifications
    bool acknowledges = true;    // checkpoints
    bool recovers = true;        // coordinators
    bool releases = true;        // attempts that are cancelled
    bool releases_tasks = true;  // that are cancelled while others go on
    int32_t coordinators = -1;   // the attempt whose coordinators it runs
    pb::LedgerEntry::State recovery_outcome = pb::LedgerEntry::COMMITTED;
    std::vector<pb::ToTaskManager> seen;
    std::vector<pb::DeployTask> tasks;
    std::vector<pb::Committable> prepared;
  };

  ScriptedCluster() {
    char pattern[] = "/tmp/weir-dispatcher-test-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    start_jobmanager();
  }
  ~ScriptedCluster() override {
    stop_jobmanager();
    std::filesystem::remove_all(folder_);
  }

  void start_jobmanager() {
    auto store = FileMetadataStore::open(folder_);
    ASSERT_THAT(store, IsOk());
    store_ = std::move(*store);
    Config config;
    ASSERT_THAT(config.set("slot.request.timeout", "30 s"), IsOk());
    ASSERT_THAT(config.set("jobstore.max-capacity", "3"), IsOk());
    dispatcher_ = std::make_unique<Dispatcher>(
        config, *store_, clock_,
        [this](const std::string& name) {
          Mailbox::Options options;
          options.name = name;
          options.clock = &clock_;
          options.capacity = mailbox_capacity_;
          auto mailbox = std::make_shared<Mailbox>(options);
          mailboxes_.push_back(mailbox);
          return mailbox;
        },
        folder_ + "/checkpoints");
    ASSERT_THAT(dispatcher_->start(), IsOk());
    run();
  }
  // As a kill does: nothing is said to anybody.
  void stop_jobmanager() {
    dispatcher_.reset();
    mailboxes_.clear();
    store_.reset();
    taskmanagers_.clear();
  }

  TaskManager& add_taskmanager(const std::string& id, int32_t slots, bool acknowledges = true) {
    auto taskmanager = std::make_unique<TaskManager>();
    taskmanager->id = id;
    taskmanager->acknowledges = acknowledges;
    taskmanager->session = ++last_session_;
    taskmanager->stream = std::make_shared<FakeStream>();
    pb::RegisterTaskManager registration;
    registration.set_taskmanager_id(id);
    registration.set_slots(slots);
    registration.set_abi_stamp("abi 1");
    registration.set_host("host-" + id);
    registration.set_data_port(7001);
    EXPECT_THAT(
        dispatcher_->register_taskmanager(taskmanager->session, registration, taskmanager->stream),
        IsOk());
    taskmanagers_.push_back(std::move(taskmanager));
    TaskManager& added = *taskmanagers_.back();
    run();
    return added;
  }
  void kill(TaskManager& taskmanager) {
    dispatcher_->on_taskmanager_closed(taskmanager.session, "connection reset");
    std::erase_if(taskmanagers_, [&](const auto& other) { return other.get() == &taskmanager; });
    run();
  }
  void send(const TaskManager& taskmanager, pb::FromTaskManager message) {
    message.set_leader_epoch(store_->leader_epoch().value());
    EXPECT_THAT(dispatcher_->on_taskmanager_message(taskmanager.session, std::move(message)),
                IsOk());
  }

  // Until nothing is left to do at this time.
  void run() {
    for (bool busy = true; busy;) {
      busy = false;
      for (size_t i = 0; i < mailboxes_.size(); ++i) {
        if (mailboxes_[i]->run_pending() > 0) busy = true;
      }
      for (size_t i = 0; i < taskmanagers_.size(); ++i) {
        TaskManager& taskmanager = *taskmanagers_[i];
        for (pb::ToTaskManager& message : std::exchange(taskmanager.stream->inbox, {})) {
          busy = true;
          answer(taskmanager, message);
          taskmanager.seen.push_back(std::move(message));
        }
      }
    }
  }
  void advance(std::chrono::nanoseconds time) {
    clock_.advance(time);
    run();
  }

  void answer(TaskManager& taskmanager, const pb::ToTaskManager& message);
  void acknowledge(TaskManager& taskmanager, const pb::DeployTask& task,
                   const pb::TriggerCheckpoint& trigger);
  // To the tasks that read others.
  void pass_barrier(const pb::TriggerCheckpoint& trigger);
  void task_state(TaskManager& taskmanager, const pb::TaskId& task,
                  pb::TaskStateChanged::State state, const std::string& cause = "",
                  bool fatal = false) {
    pb::FromTaskManager change;
    *change.mutable_task_state_changed()->mutable_task() = task;
    change.mutable_task_state_changed()->set_state(state);
    change.mutable_task_state_changed()->set_cause(cause);
    change.mutable_task_state_changed()->set_fatal(fatal);
    send(taskmanager, change);
  }

  pb::JobGraph graph() {
    pb::JobGraph graph;
    graph.set_format_version(1);
    graph.set_name("processed");
    for (int id = 0; id < 2; ++id) {
      pb::JobGraph::Node* node = graph.add_nodes();
      node->set_id(id);
      node->set_uid(id == 0 ? "lines" : "out");
      node->set_name(node->uid());
      node->set_kind(id == 0 ? pb::JobGraph::SOURCE : pb::JobGraph::SINK);
      node->set_parallelism(2);
      node->set_has_coordinator(true);
      node->set_has_committer(id == 1);
      if (id > 0) node->add_edges()->set_from(id - 1);
    }
    (*graph.mutable_configuration())["execution.checkpointing.interval"] = "1 s";
    (*graph.mutable_configuration())["restart-strategy.type"] = "fixed-delay";
    (*graph.mutable_configuration())["restart-strategy.fixed-delay.attempts"] = "3";
    (*graph.mutable_configuration())["restart-strategy.fixed-delay.delay"] = "0 s";
    return graph;
  }
  // lines ─hash─▶ count ─▶ out
  pb::JobGraph keyed_graph(int32_t parallelism) {
    pb::JobGraph result = graph();
    pb::JobGraph::Node* sink = result.add_nodes();
    *sink = result.nodes(1);
    sink->set_id(2);
    sink->mutable_edges(0)->set_from(1);
    pb::JobGraph::Node* count = result.mutable_nodes(1);
    count->set_uid("count");
    count->set_name("KeyedCount");
    count->set_kind(pb::JobGraph::OPERATOR);
    count->set_has_coordinator(false);
    count->set_has_committer(false);
    count->set_keyed(true);
    count->mutable_edges(0)->set_partitioning(pb::JobGraph::HASH);
    count->set_parallelism(parallelism);
    sink->set_parallelism(parallelism);
    return result;
  }
  absl::StatusOr<std::string> submit(const pb::JobGraph& graph, const std::string& savepoint = "") {
    pb::SubmitJobRequest request;
    *request.mutable_graph() = graph;
    request.set_savepoint_path(savepoint);
    std::optional<absl::StatusOr<pb::SubmitJobResponse>> answer;
    dispatcher_->submit(request, into(answer));
    run();
    if (!answer->ok()) return answer->status();
    return (*answer)->job_id();
  }
  pb::JobDetails details(const std::string& job_id) {
    std::optional<absl::StatusOr<pb::JobDetails>> answer;
    dispatcher_->describe(job_id, into(answer));
    run();
    EXPECT_THAT(*answer, IsOk());
    return answer->ok() ? **answer : pb::JobDetails();
  }
  std::string state(const std::string& job_id) { return details(job_id).status().state(); }
  void cancel(const std::string& job_id) {
    std::optional<absl::StatusOr<pb::CancelJobResponse>> answer;
    dispatcher_->cancel(job_id, into(answer));
    run();
    EXPECT_THAT(*answer, IsOk());
  }
  template <typename Predicate>
  static int count(const TaskManager& taskmanager, Predicate predicate) {
    return static_cast<int>(
        std::count_if(taskmanager.seen.begin(), taskmanager.seen.end(), predicate));
  }
  static const pb::TriggerCheckpoint& last_trigger(const TaskManager& taskmanager) {
    const auto it = std::find_if(taskmanager.seen.rbegin(), taskmanager.seen.rend(),
                                 [](const auto& m) { return m.has_trigger_checkpoint(); });
    return it->trigger_checkpoint();
  }
  static int notifications(const TaskManager& taskmanager) {
    return count(taskmanager, [](const auto& m) { return m.has_notify_checkpoint_complete(); });
  }
  static const pb::RecoverCoordinator* last_recovery(const TaskManager& taskmanager,
                                                     const std::string& uid) {
    for (auto it = taskmanager.seen.rbegin(); it != taskmanager.seen.rend(); ++it) {
      if (it->has_recover_coordinator() && it->recover_coordinator().coordinator().uid() == uid) {
        return &it->recover_coordinator();
      }
    }
    return nullptr;
  }

  std::string folder_;
  ManualClock clock_;
  std::unique_ptr<FileMetadataStore> store_;
  std::vector<std::shared_ptr<Mailbox>> mailboxes_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::vector<std::unique_ptr<TaskManager>> taskmanagers_;
  uint64_t last_session_ = 0;
  bool restarts_subtasks_ = false;  // coordinators can
  size_t mailbox_capacity_ = 65536;
  std::chrono::milliseconds transaction_timeout_ = std::chrono::minutes(15);
};

}  // namespace weir
