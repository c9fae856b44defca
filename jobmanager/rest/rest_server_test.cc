// Over loopback, as clients written for Flink ask.
#include "jobmanager/rest/rest_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/status_matchers.h"
#include "jobmanager/rest/json.h"
#include "jobmanager/rest/json_shape.h"
#include "jobmanager/rest/sample_job.h"

namespace weir {
namespace {

using rest::golden;
using rest::Json;
using rest::kSampleJob;
using rest::kSampleVertex;
using rest::shape_differences;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kUnknownJob[] = "00000000000000000000000000000000";

// Answers at once from a sample job, and keeps the replies of savepoints until told.
class FakeCluster final : public ClusterView {
 public:
  void describe(const std::string& job_id, Reply<pb::JobDetails> reply) override {
    if (job_id == kSampleJob) return reply(rest::sample_job());
    reply(absl::NotFoundError("unknown"));
  }
  void describe_all(Reply<std::vector<pb::JobDetails>> reply) override {
    reply(std::vector<pb::JobDetails>{rest::sample_job()});
  }
  void list_taskmanagers(Reply<std::vector<TaskManagerInfo>> reply) override {
    reply(rest::sample_taskmanagers());
  }
  void transactions(const std::string& job_id, Reply<pb::ListTransactionsResponse> reply) override {
    pb::ListTransactionsResponse response;
    response.mutable_ledger()->set_job_id(job_id);
    reply(std::move(response));
  }
  void cancel(const std::string& job_id, Reply<pb::CancelJobResponse> reply) override {
    {
      MutexLock lock(mutex_);
      cancelled_ = job_id;
    }
    reply(pb::CancelJobResponse());
  }
  void stop(const pb::StopJobRequest& request, Reply<pb::SavepointResponse> reply) override {
    MutexLock lock(mutex_);
    asked_ = absl::StrCat("stop ", request.directory(), request.drain() ? " drain" : "");
    savepoint_ = std::move(reply);
  }
  void trigger_savepoint(const pb::TriggerSavepointRequest& request,
                         Reply<pb::SavepointResponse> reply) override {
    MutexLock lock(mutex_);
    asked_ = absl::StrCat("savepoint ", request.directory());
    savepoint_ = std::move(reply);
  }
  void trigger_checkpoint(const std::string&, Reply<pb::TriggerCheckpointResponse> reply) override {
    pb::TriggerCheckpointResponse response;
    response.set_checkpoint_id(27);
    reply(std::move(response));
  }

  void rescale(const pb::RescaleJobRequest& request, Reply<pb::RescaleJobResponse> reply) override {
    {
      MutexLock lock(mutex_);
      asked_ = "rescale";
      for (const auto& [vertex, parallelism] : request.vertices()) {
        absl::StrAppend(&asked_, " ", vertex, "=", parallelism);
      }
    }
    reply(pb::RescaleJobResponse());
  }

  void complete_savepoint(absl::StatusOr<pb::SavepointResponse> answer) {
    MutexLock lock(mutex_);
    savepoint_(std::move(answer));
  }
  std::string asked() const {
    MutexLock lock(mutex_);
    return asked_;
  }
  std::string cancelled() const {
    MutexLock lock(mutex_);
    return cancelled_;
  }

 private:
  mutable Mutex mutex_;
  std::string asked_ WEIR_GUARDED_BY(mutex_);
  std::string cancelled_ WEIR_GUARDED_BY(mutex_);
  Reply<pb::SavepointResponse> savepoint_ WEIR_GUARDED_BY(mutex_);
};

class RestServerTest : public testing::Test {
 protected:
  RestServerTest() {
    auto server = RestServer::start("127.0.0.1", 0, cluster_, {{"rest.port", "0"}});
    WEIR_CHECK_OK(server);
    server_ = std::move(*server);
  }

  // The body; a failure unless the status is `expected_status`.
  Json answer(const httplib::Result& result, int expected_status) {
    if (!result) {
      ADD_FAILURE() << httplib::to_string(result.error());
      return {};
    }
    EXPECT_EQ(result->status, expected_status) << result->body;
    EXPECT_EQ(result->get_header_value("Content-Type"), "application/json; charset=UTF-8");
    return Json::parse(result->body);
  }
  Json get(const std::string& path, int expected_status = 200) {
    return answer(client().Get(path), expected_status);
  }
  Json post(const std::string& path, const std::string& body, int expected_status) {
    return answer(client().Post(path, body, "application/json"), expected_status);
  }
  httplib::Client client() const { return httplib::Client("127.0.0.1", server_->port()); }

  FakeCluster cluster_;
  std::unique_ptr<RestServer> server_;
  const std::string job_ = absl::StrCat("/jobs/", kSampleJob);
};

TEST_F(RestServerTest, AnswersEveryPathWithAndWithoutTheVersion) {
  const std::string vertex = absl::StrCat(job_, "/vertices/", kSampleVertex);
  for (const std::string& path : {std::string("/overview"),
                                  std::string("/config"),
                                  std::string("/jobs"),
                                  std::string("/jobs/overview"),
                                  std::string("/jobmanager/config"),
                                  std::string("/jobmanager/metrics"),
                                  std::string("/taskmanagers"),
                                  std::string("/taskmanagers/127.0.0.1:40110-3f"),
                                  std::string("/taskmanagers/127.0.0.1:40110-3f/metrics"),
                                  job_,
                                  job_ + "/status",
                                  job_ + "/config",
                                  job_ + "/plan",
                                  job_ + "/resource-requirements",
                                  job_ + "/exceptions",
                                  job_ + "/checkpoints",
                                  job_ + "/checkpoints/config",
                                  job_ + "/checkpoints/details/24",
                                  job_ + "/metrics",
                                  job_ + "/jobmanager/config",
                                  job_ + "/transactions",
                                  vertex,
                                  vertex + "/taskmanagers",
                                  vertex + "/metrics",
                                  vertex + "/jm-operator-metrics",
                                  vertex + "/subtasks/metrics",
                                  vertex + "/subtasks/0",
                                  vertex + "/subtasks/1/metrics"}) {
    SCOPED_TRACE(path);
    const Json body = get(path);
    EXPECT_FALSE(body.empty() && path.find("metrics") == std::string::npos);
    EXPECT_EQ(get("/v1" + path).size(), body.size());
  }
}

TEST_F(RestServerTest, GivesTheMetricsThatAreAskedFor) {
  EXPECT_EQ(get(job_ + "/metrics?get=numRestarts,numberOfFailedCheckpoints").dump(),
            R"([{"id":"numRestarts","value":"0"},{"id":"numberOfFailedCheckpoints","value":"1"}])");
}

TEST_F(RestServerTest, SaysWhatItDoesNotKnowWithFlinksErrors) {
  EXPECT_EQ(get("/nope", 404), golden("not_found"));
  EXPECT_EQ(get("/v2/overview", 404)["errors"][0], "Unable to load requested file /v2/overview.");
  EXPECT_EQ(get(absl::StrCat("/jobs/", kUnknownJob), 404)["errors"][0],
            absl::StrCat("Job ", kUnknownJob, " not found"));
  EXPECT_THAT(get("/jobs/wordcount", 400)["errors"][0].get<std::string>(),
              HasSubstr("\"wordcount\""));
  get(job_ + "/vertices/00000000000000000000000000000000", 404);
  get(job_ + "/checkpoints/details/3", 404);
  get(job_ + "/checkpoints/details/x", 400);
  get("/taskmanagers/nobody", 404);
}

TEST_F(RestServerTest, TakesASavepointAsFlinksClientAsks) {
  const Json triggered = post("/v1" + job_ + "/savepoints",
                              R"({"target-directory":"/data/sp2","cancel-job":false,)"
                              R"("formatType":"CANONICAL","triggerId":null})",
                              202);
  EXPECT_THAT(shape_differences(golden("savepoint_triggered"), triggered), IsEmpty());
  EXPECT_EQ(cluster_.asked(), "savepoint /data/sp2");
  const std::string poll =
      absl::StrCat("/v1", job_, "/savepoints/", triggered["request-id"].get<std::string>());
  EXPECT_EQ(get(poll), golden("savepoint_in_progress"));
  pb::SavepointResponse done;
  done.set_path("file:///data/sp2/savepoint-1");
  cluster_.complete_savepoint(done);
  const Json completed = get(poll);
  EXPECT_THAT(shape_differences(golden("savepoint_completed"), completed), IsEmpty());
  EXPECT_EQ(completed["operation"]["location"], "file:/data/sp2/savepoint-1");
}

TEST_F(RestServerTest, TellsWhyASavepointFailed) {
  const Json triggered = post(job_ + "/savepoints", "", 202);
  cluster_.complete_savepoint(absl::FailedPreconditionError("the job isn't running"));
  const Json body =
      get(absl::StrCat(job_, "/savepoints/", triggered["request-id"].get<std::string>()));
  EXPECT_EQ(body["status"]["id"], "COMPLETED");
  EXPECT_EQ(body["operation"]["failure-cause"]["stack-trace"], "the job isn't running");
}

TEST_F(RestServerTest, StopsAJobAsFlinksClientAsks) {
  const Json triggered = post("/v1" + job_ + "/stop",
                              R"({"targetDirectory":"/data/sp3","drain":true,)"
                              R"("formatType":"CANONICAL","triggerId":null})",
                              202);
  EXPECT_EQ(cluster_.asked(), "stop /data/sp3 drain");
  cluster_.complete_savepoint(pb::SavepointResponse());
  EXPECT_EQ(get(absl::StrCat(job_, "/savepoints/",
                             triggered["request-id"].get<std::string>()))["status"]["id"],
            "COMPLETED");
}

TEST_F(RestServerTest, TakesACheckpointAsFlinksClientAsks) {
  const Json triggered =
      post(job_ + "/checkpoints", R"({"checkpointType":"CONFIGURED","triggerId":null})", 202);
  EXPECT_EQ(get(absl::StrCat(job_, "/checkpoints/", triggered["request-id"].get<std::string>())),
            golden("checkpoint_polled"));
}

TEST_F(RestServerTest, ShowsAndTakesResourceRequirementsAsFlinkDoes) {
  const std::string path = job_ + "/resource-requirements";
  const Json shown = get(path);
  EXPECT_EQ(shown[kSampleVertex].dump(), R"({"parallelism":{"lowerBound":1,"upperBound":2}})");
  const auto put = [&](const Json& vertex, int expected_status) {
    const Json body = {{kSampleVertex, vertex}};
    return answer(client().Put("/v1" + path, body.dump(), "application/json"), expected_status);
  };
  EXPECT_EQ(put({{"parallelism", {{"lowerBound", 1}, {"upperBound", 4}}}}, 200), Json::object());
  EXPECT_EQ(cluster_.asked(), absl::StrCat("rescale ", kSampleVertex, "=4"));
  EXPECT_THAT(put({{"parallelism", {{"upperBound", 0}}}}, 400)["errors"][0].get<std::string>(),
              HasSubstr(kSampleVertex));
  put({{"parallelism", {{"lowerBound", 5}, {"upperBound", 4}}}}, 400);
  put({{"parallelism", {{"lowerBound", "1"}, {"upperBound", 4}}}}, 400);
  put("4", 400);
}

TEST_F(RestServerTest, CancelsAJob) {
  EXPECT_EQ(answer(client().Patch("/v1" + job_ + "?mode=cancel", "", "application/json"), 202),
            Json::object());
  EXPECT_EQ(cluster_.cancelled(), kSampleJob);
  answer(client().Patch(job_ + "?mode=stop", "", "application/json"), 400);
  answer(client().Patch(absl::StrCat("/jobs/", kUnknownJob), "", "application/json"), 404);
}

// What curl -X PATCH sends: httplib's own client always announces a length.
std::string answer_to_raw(int port, const std::string& request) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
      ::send(socket, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size())) {
    char buffer[4096];
    for (ssize_t n; (n = ::recv(socket, buffer, sizeof(buffer), 0)) > 0;) {
      answer.append(buffer, static_cast<size_t>(n));
    }
  }
  ::close(socket);
  return answer;
}

TEST_F(RestServerTest, CancelsAJobOnARequestThatAnnouncesNoBody) {
  const std::string request = absl::StrCat("PATCH ", job_, "?mode=cancel HTTP/1.1\r\n",
                                           "Host: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer_to_raw(server_->port(), request), HasSubstr(" 202 "));
  EXPECT_EQ(cluster_.cancelled(), kSampleJob);
}

TEST_F(RestServerTest, RefusesBodiesThatItCannotRead) {
  post(job_ + "/savepoints", "{", 400);
  post(job_ + "/savepoints", R"({"target-directory":7})", 400);
  post(job_ + "/savepoints", R"({"cancel-job":true})", 400);
  post(job_ + "/stop", R"({"triggerId":"mine"})", 400);
  post(absl::StrCat("/jobs/", kUnknownJob, "/savepoints"), "", 404);
  EXPECT_EQ(cluster_.asked(), "");
}

TEST_F(RestServerTest, SaysThatItsPortIsTaken) {
  const auto second = RestServer::start("127.0.0.1", server_->port(), cluster_, {});
  EXPECT_THAT(second.status(), StatusIs(absl::StatusCode::kUnavailable,
                                        HasSubstr(absl::StrCat(":", server_->port()))));
}

TEST_F(RestServerTest, EndsAtOnceAndGivesItsPortBack) {
  const int port = server_->port();
  server_.reset();
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT(RestServer::start("127.0.0.1", port, cluster_, {}).status(), IsOk());
  }
}

}  // namespace
}  // namespace weir
