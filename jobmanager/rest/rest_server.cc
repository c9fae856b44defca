#include "jobmanager/rest/rest_server.h"

#include <httplib.h>

#include <future>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/status.h"
#include "jobmanager/job/dispatcher.h"
#include "jobmanager/rest/rest_json.h"

namespace weir {

namespace {

using rest::Json;

// The answer to a call of the dispatcher, waited for on the request's own thread.
template <typename T>
class Awaited {
 public:
  Reply<T> reply() {
    return Reply<T>(
        [promise = promise_](absl::StatusOr<T> answer) { promise->set_value(std::move(answer)); });
  }
  absl::StatusOr<T> get() { return promise_->get_future().get(); }

 private:
  std::shared_ptr<std::promise<absl::StatusOr<T>>> promise_ =
      std::make_shared<std::promise<absl::StatusOr<T>>>();
};

int http_status(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kUnavailable:
      return 503;
    default:
      return 500;
  }
}

int64_t now_ms() {
  return to_unix_ms(SystemClock::instance().wall_now());
}

// Savepoints and checkpoints asked for over REST, until they are looked up. Thread-safe.
class Triggers {
 public:
  std::string add() {
    MutexLock lock(mutex_);
    const std::string id = to_string(JobId::random(random_));
    outcomes_[id] = std::nullopt;
    if (outcomes_.size() > kMaximum) outcomes_.erase(outcomes_.begin());
    return id;
  }
  void complete(const std::string& id, Json operation) {
    MutexLock lock(mutex_);
    outcomes_[id] = std::move(operation);
  }
  absl::StatusOr<Json> look_up(const std::string& id) {
    MutexLock lock(mutex_);
    const auto it = outcomes_.find(id);
    if (it == outcomes_.end()) {
      return absl::NotFoundError(absl::StrCat("no operation has the trigger id ", id));
    }
    Json json;
    json["status"]["id"] = it->second ? "COMPLETED" : "IN_PROGRESS";
    json["operation"] = it->second ? *it->second : Json(nullptr);
    return json;
  }

 private:
  static constexpr size_t kMaximum = 1000;
  Mutex mutex_;
  std::mt19937_64 random_ WEIR_GUARDED_BY(mutex_){std::random_device{}()};
  std::map<std::string, std::optional<Json>> outcomes_ WEIR_GUARDED_BY(mutex_);
};

Json failure(const absl::Status& status) {
  return Json{{"failure-cause",
               {{"class", "org.apache.flink.runtime.checkpoint.CheckpointException"},
                {"stack-trace", std::string(status.message())},
                {"serialized-throwable", ""}}}};
}

Reply<pb::SavepointResponse> savepoint_reply(std::shared_ptr<Triggers> triggers, std::string id) {
  return Reply<pb::SavepointResponse>([triggers,
                                       id](const absl::StatusOr<pb::SavepointResponse>& done) {
    triggers->complete(id, done.ok() ? Json{{"location", done->path()}} : failure(done.status()));
  });
}

}  // namespace

struct RestServer::Parts {
  explicit Parts(Dispatcher& the_dispatcher) : dispatcher(the_dispatcher) {}

  using Get = std::function<absl::StatusOr<Json>(const httplib::Request&)>;
  // Under / and under /v1/; the last group of the pattern is the job's id, if it has one.
  void get(const std::string& pattern, Get handler);
  void on(const char* method, const std::string& pattern, int success, Get handler);
  void routes();
  void job_routes();
  void trigger_routes();
  absl::StatusOr<Json> of_job(const httplib::Request& request,
                              std::function<Json(const pb::JobDetails&)> show);

  Dispatcher& dispatcher;
  // Replies may come when the server is gone.
  const std::shared_ptr<Triggers> triggers = std::make_shared<Triggers>();
  httplib::Server server;
  std::thread thread;
  int port = 0;
};

void RestServer::Parts::on(const char* method, const std::string& pattern, int success,
                           Get handler) {
  const auto answer = [handler = std::move(handler), success](const httplib::Request& request,
                                                              httplib::Response& response) {
    const absl::StatusOr<Json> body = handler(request);
    response.status = body.ok() ? success : http_status(body.status());
    response.set_content(
        (body.ok() ? *body : rest::errors(std::string(body.status().message()))).dump(),
        "application/json; charset=UTF-8");
  };
  const std::string path = absl::StrCat("(?:/v1)?", pattern);
  const std::string name = method;
  if (name == "GET") server.Get(path, answer);
  if (name == "POST") server.Post(path, answer);
  if (name == "PATCH") server.Patch(path, answer);
}

void RestServer::Parts::get(const std::string& pattern, Get handler) {
  on("GET", pattern, 200, std::move(handler));
}

absl::StatusOr<Json> RestServer::Parts::of_job(const httplib::Request& request,
                                               std::function<Json(const pb::JobDetails&)> show) {
  Awaited<pb::JobDetails> details;
  dispatcher.describe(request.matches[1], details.reply());
  const absl::StatusOr<pb::JobDetails> found = details.get();
  if (absl::IsNotFound(found.status())) {
    return absl::NotFoundError(absl::StrCat("Job ", std::string(request.matches[1]), " not found"));
  }
  WEIR_RETURN_IF_ERROR(found.status());
  return show(*found);
}

void RestServer::Parts::routes() {
  const auto all_jobs = [this] {
    Awaited<std::vector<pb::JobDetails>> all;
    dispatcher.describe_all(all.reply());
    return all.get();
  };
  const auto all_taskmanagers = [this] {
    Awaited<std::vector<TaskManagerInfo>> all;
    dispatcher.list_taskmanagers(all.reply());
    return all.get();
  };
  get("/overview", [=](const auto&) -> absl::StatusOr<Json> {
    WEIR_ASSIGN_OR_RETURN(const auto jobs, all_jobs());
    WEIR_ASSIGN_OR_RETURN(const auto taskmanagers, all_taskmanagers());
    return rest::overview(jobs, taskmanagers);
  });
  get("/config", [](const auto&) -> absl::StatusOr<Json> { return rest::config(); });
  get("/jobs", [=](const auto&) -> absl::StatusOr<Json> {
    WEIR_ASSIGN_OR_RETURN(const auto jobs, all_jobs());
    return rest::jobs(jobs);
  });
  get("/jobs/overview", [=](const auto&) -> absl::StatusOr<Json> {
    WEIR_ASSIGN_OR_RETURN(const auto jobs, all_jobs());
    return rest::jobs_overview(jobs, now_ms());
  });
  get("/taskmanagers", [=](const auto&) -> absl::StatusOr<Json> {
    WEIR_ASSIGN_OR_RETURN(const auto taskmanagers, all_taskmanagers());
    return rest::taskmanagers(taskmanagers);
  });
  get("/jobmanager/config", [this](const auto&) -> absl::StatusOr<Json> {
    Json list = Json::array();
    for (const auto& [key, value] : dispatcher.config().shown_values()) {
      list.push_back({{"key", key}, {"value", value}});
    }
    return list;
  });
  server.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    response.set_content(
        rest::errors(absl::StrCat("Unable to load requested file ", request.path, ".")).dump(),
        "application/json; charset=UTF-8");
  });
}

void RestServer::Parts::job_routes() {
  const std::string job = "/jobs/([0-9a-fA-F]{32})";
  get(job, [this](const auto& request) {
    return of_job(request, [](const auto& details) { return rest::job(details, now_ms()); });
  });
  const std::pair<const char*, Json (*)(const pb::JobDetails&)> views[] = {
      {"/plan", rest::job_plan},
      {"/config", rest::job_config},
      {"/exceptions", rest::job_exceptions},
      {"/checkpoints", rest::checkpoints},
      {"/checkpoints/config", rest::checkpoint_config}};
  for (const auto& [path, show] : views) {
    get(job + path, [this, show = show](const auto& request) { return of_job(request, show); });
  }
  get(job + "/status", [this](const auto& request) {
    return of_job(request,
                  [](const auto& details) { return Json{{"status", details.status().state()}}; });
  });
}

void RestServer::Parts::trigger_routes() {
  const std::string job = "/jobs/([0-9a-fA-F]{32})";
  const auto folder = [](const httplib::Request& request, const char* key) -> std::string {
    const Json body = Json::parse(request.body, nullptr, false);
    return body.is_object() && body.contains(key) && body[key].is_string() ? body[key] : "";
  };
  on("PATCH", job, 202, [this](const auto& request) -> absl::StatusOr<Json> {
    Awaited<pb::CancelJobResponse> cancelled;
    dispatcher.cancel(request.matches[1], cancelled.reply());
    WEIR_RETURN_IF_ERROR(cancelled.get().status());
    return Json::object();
  });
  on("POST", job + "/savepoints", 202, [this, folder](const auto& request) -> absl::StatusOr<Json> {
    const std::string id = triggers->add();
    pb::TriggerSavepointRequest savepoint;
    savepoint.set_job_id(request.matches[1]);
    savepoint.set_directory(folder(request, "target-directory"));
    dispatcher.trigger_savepoint(savepoint, savepoint_reply(triggers, id));
    return Json{{"request-id", id}};
  });
  on("POST", job + "/stop", 202, [this, folder](const auto& request) -> absl::StatusOr<Json> {
    const std::string id = triggers->add();
    pb::StopJobRequest stop;
    stop.set_job_id(request.matches[1]);
    stop.set_directory(folder(request, "targetDirectory"));
    dispatcher.stop(stop, savepoint_reply(triggers, id));
    return Json{{"request-id", id}};
  });
  on("POST", job + "/checkpoints", 202, [this](const auto& request) -> absl::StatusOr<Json> {
    const std::string id = triggers->add();
    dispatcher.trigger_checkpoint(
        request.matches[1],
        Reply<pb::TriggerCheckpointResponse>([triggers = triggers, id](const auto& done) {
          triggers->complete(id, done.ok() ? Json{{"checkpointId", done->checkpoint_id()}}
                                           : failure(done.status()));
        }));
    return Json{{"request-id", id}};
  });
  get(job + "/(?:savepoints|checkpoints)/([0-9a-fA-F]{32})",
      [this](const auto& request) { return triggers->look_up(request.matches[2]); });
}

RestServer::RestServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<RestServer>> RestServer::start(const std::string& host, int port,
                                                              Dispatcher& dispatcher) {
  auto parts = std::make_unique<Parts>(dispatcher);
  parts->routes();
  parts->job_routes();
  parts->trigger_routes();
  // Its default would let two servers share a port.
  parts->server.set_socket_options([](socket_t socket) {
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
  parts->server.set_keep_alive_timeout(1);
  parts->port = port == 0 ? parts->server.bind_to_any_port(host)
                          : (parts->server.bind_to_port(host, port) ? port : -1);
  if (parts->port <= 0) {
    return absl::UnavailableError(
        absl::StrCat("can't listen on ", host, ":", port,
                     " (rest.port): the port is taken or the address isn't one of this host; "
                     "choose another port, 0 for any"));
  }
  parts->thread = std::thread([raw = parts.get()] { raw->server.listen_after_bind(); });
  // stop() does nothing before it runs.
  while (!parts->server.is_running()) std::this_thread::yield();
  return std::unique_ptr<RestServer>(new RestServer(std::move(parts)));
}

RestServer::~RestServer() {
  parts_->server.stop();
  parts_->thread.join();
}

int RestServer::port() const {
  return parts_->port;
}

}  // namespace weir
