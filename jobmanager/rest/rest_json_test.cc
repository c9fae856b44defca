// Every body has the keys and types of the one that a Flink 2.0 answered, and says the right
// things.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status_matchers.h"
#include "jobmanager/rest/checkpoint_json.h"
#include "jobmanager/rest/cluster_json.h"
#include "jobmanager/rest/job_json.h"
#include "jobmanager/rest/json_shape.h"
#include "jobmanager/rest/metric_json.h"
#include "jobmanager/rest/sample_job.h"
#include "jobmanager/rest/statistics_json.h"
#include "jobmanager/rest/vertex_json.h"

namespace weir::rest {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(JsonShape, NamesThePathOfEveryDifference) {
  const Json expected = {{"a", 1}, {"b", {{"c", "text"}, {"d", 0.5}}}, {"list", {{{"x", 1}}}}};
  const Json actual = {{"a", "1"}, {"b", {{"c", "other"}, {"e", 0}}}, {"list", {{{"x", 1.5}}}}};
  EXPECT_THAT(
      shape_differences(expected, actual),
      UnorderedElementsAre("/a: string instead of whole number", "/b/d: missing",
                           "/b/e: not Flink's", "/list/0/x: fraction instead of whole number"));
}

TEST(ClusterJson, HasFlinksShape) {
  const auto taskmanagers = sample_taskmanagers();
  EXPECT_THAT(shape_differences(golden("overview"), overview_body({sample_job()}, taskmanagers)),
              IsEmpty());
  EXPECT_THAT(shape_differences(golden("config"), config_body()), IsEmpty());
  EXPECT_THAT(shape_differences(golden("jobmanager_config"),
                                jobmanager_config_body({{"rest.port", "8081"}})),
              IsEmpty());
  EXPECT_THAT(shape_differences(golden("taskmanagers"), taskmanagers_body(taskmanagers)),
              IsEmpty());
  EXPECT_THAT(
      shape_differences(golden("taskmanager"), taskmanager_body(taskmanagers[0], {sample_job()})),
      IsEmpty());
}

TEST(ClusterJson, CountsSlotsAndJobsByState) {
  pb::JobDetails failed = sample_job();
  failed.mutable_status()->set_state("FAILED");
  const Json body = overview_body({sample_job(), failed}, sample_taskmanagers());
  EXPECT_EQ(body["taskmanagers"], 2);
  EXPECT_EQ(body["slots-total"], 4);
  EXPECT_EQ(body["slots-available"], 2);
  EXPECT_EQ(body["jobs-running"], 1);
  EXPECT_EQ(body["jobs-failed"], 1);
  EXPECT_EQ(body["jobs-finished"], 0);
}

TEST(ClusterJson, SaysWhichJobsHoldATaskManagersSlots) {
  pb::JobDetails ended = sample_job();
  ended.mutable_status()->set_state("CANCELED");
  const Json body = taskmanager_body(sample_taskmanagers()[1], {sample_job(), ended});
  ASSERT_EQ(body["allocatedSlots"].size(), 1);
  EXPECT_EQ(body["allocatedSlots"][0]["jobId"], kSampleJob);
}

TEST(JobJson, HasFlinksShape) {
  const pb::JobDetails job = sample_job();
  EXPECT_THAT(shape_differences(golden("jobs"), jobs_body({job})), IsEmpty());
  EXPECT_THAT(shape_differences(golden("jobs_overview"), jobs_overview_body({job}, kSampleNowMs)),
              IsEmpty());
  EXPECT_THAT(shape_differences(golden("job_status"), job_status_body(job)), IsEmpty());
  EXPECT_THAT(shape_differences(golden("job_config"), job_config_body(job)), IsEmpty());
  EXPECT_THAT(shape_differences(golden("job_exceptions"), job_exceptions_body(job)), IsEmpty());
  // A chain without inputs has no "inputs", as Flink's sources.
  Json plan = golden("job_plan");
  Json& nodes = plan["plan"]["nodes"];
  nodes.erase(0);
  EXPECT_THAT(shape_differences(plan, job_plan_body(job)), IsEmpty());
  Json whole = golden("job");
  whole["plan"]["nodes"] = nodes;
  EXPECT_THAT(shape_differences(whole, job_body(job, kSampleNowMs)), IsEmpty());
}

TEST(JobJson, ShowsWhatAVertexReadsAsFlinkDoes) {
  pb::JobDetails job = sample_job();
  pb::VertexDetails* count = job.add_vertices();
  count->set_id("f3972bd41bae29c99f67c3c4998870ba");
  count->set_name("KeyedCount -> Sink: out");
  count->set_parallelism(2);
  count->set_max_parallelism(128);
  count->add_inputs()->set_vertex_id(kSampleVertex);
  count->mutable_inputs(0)->set_ship_strategy("HASH");
  const Json nodes = job_plan_body(job)["plan"]["nodes"];
  const Json flinks = golden("job_plan")["plan"]["nodes"];
  EXPECT_THAT(shape_differences(flinks[0], nodes[1]), IsEmpty());
  EXPECT_THAT(shape_differences(flinks[1], nodes[0]), IsEmpty());
  EXPECT_EQ(nodes[1]["inputs"], flinks[0]["inputs"]);
  EXPECT_EQ(nodes[1]["description"], "KeyedCount<br/>+- Sink: out<br/>");
  EXPECT_EQ(vertex_body(job, *count, kSampleNowMs)["maxParallelism"], 128);
}

TEST(JobJson, ShowsTimesAndStatesOfARunningJob) {
  const Json body = job_body(sample_job(), kSampleNowMs);
  EXPECT_EQ(body["jid"], kSampleJob);
  EXPECT_EQ(body["end-time"], -1);
  EXPECT_EQ(body["duration"], 55000);
  EXPECT_EQ(body["timestamps"]["RUNNING"], kSampleNowMs - 50000);
  EXPECT_EQ(body["timestamps"]["FAILED"], 0);
  EXPECT_EQ(body["vertices"][0]["status"], "RUNNING");
  EXPECT_EQ(body["status-counts"]["RUNNING"], 1);
  EXPECT_EQ(body["plan"]["nodes"][0]["description"],
            "Source: lines<br/>+- tokenizer<br/>   +- sink: Writer<br/>");
  EXPECT_EQ(jobs_overview_body({sample_job()}, kSampleNowMs)["jobs"][0]["tasks"]["total"], 2);
}

TEST(JobJson, EndsTheDurationWithTheJob) {
  pb::JobDetails job = sample_job();
  job.mutable_status()->set_state("FINISHED");
  job.mutable_status()->set_end_time_ms(kSampleNowMs - 5000);
  const Json body = job_body(job, kSampleNowMs);
  EXPECT_EQ(body["end-time"], kSampleNowMs - 5000);
  EXPECT_EQ(body["duration"], 50000);
}

TEST(JobJson, ShowsTheLastFaultTheAcceptedLossesAndTheFirst) {
  pb::JobDetails job = sample_job();
  pb::Fault* first = job.mutable_status()->mutable_first_fault();
  first->set_time_ms(1);
  first->set_where("lines -> out (2/2) on 127.0.0.1:40112-3f");
  first->set_cause("division by zero\n  in tokenizer");
  pb::Fault* last = job.mutable_status()->mutable_last_fault();
  last->set_attempt(4);
  last->set_time_ms(9);
  pb::Fault* loss = job.add_accepted_losses();
  loss->set_time_ms(5);
  loss->set_where("sink");
  loss->set_cause("checkpoint 7: transaction t0-7 of 'out' is lost");
  last->set_where("TaskManager localhost:10236-9aa9");
  last->set_cause("its connection closed");
  const Json history = job_exceptions_body(job)["exceptionHistory"];
  ASSERT_EQ(history["entries"].size(), 3);
  EXPECT_EQ(history["truncated"], true);
  EXPECT_EQ(history["entries"][0]["exceptionName"], "its connection closed");
  EXPECT_EQ(history["entries"][0]["taskManagerId"], "localhost:10236-9aa9");
  EXPECT_TRUE(history["entries"][0]["taskName"].is_null());
  EXPECT_EQ(history["entries"][1]["taskName"], "sink");
  EXPECT_THAT(history["entries"][1]["exceptionName"].get<std::string>(), HasSubstr("is lost"));
  EXPECT_EQ(history["entries"][2]["exceptionName"], "division by zero");
  EXPECT_EQ(history["entries"][2]["taskName"], "lines -> out (2/2)");
  EXPECT_EQ(history["entries"][2]["taskManagerId"], "127.0.0.1:40112-3f");
  EXPECT_EQ(history["entries"][2]["endpoint"], "127.0.0.1:40112");
}

TEST(JobJson, ShowsAnOnlyFaultOnce) {
  pb::JobDetails job = sample_job();
  job.mutable_status()->mutable_first_fault()->set_cause("too few slots");
  *job.mutable_status()->mutable_last_fault() = job.status().first_fault();
  const Json entries = job_exceptions_body(job)["exceptionHistory"]["entries"];
  ASSERT_EQ(entries.size(), 1);
  EXPECT_TRUE(entries[0]["taskManagerId"].is_null());
  EXPECT_TRUE(entries[0]["endpoint"].is_null());
}

TEST(JobJson, ShowsTheLedger) {
  pb::TransactionLedger ledger;
  ledger.set_job_id(kSampleJob);
  pb::LedgerEntry* entry = ledger.add_entries();
  entry->set_state(pb::LedgerEntry::COMMITTED);
  entry->mutable_committable()->set_transaction("wc:0:1");
  entry->mutable_committable()->add_ranges()->set_resource("out-0");
  const Json body = job_transactions_body(ledger);
  EXPECT_EQ(body["jid"], kSampleJob);
  EXPECT_EQ(body["transactions"][0]["state"], "COMMITTED");
  EXPECT_EQ(body["transactions"][0]["ranges"][0]["resource"], "out-0");
}

// What isn't kept stays an empty object: how long a task was in each state.
Json without_state_durations(Json json) {
  if (json.is_object()) {
    if (json.contains("status-duration")) json["status-duration"] = Json::object();
    for (auto& item : json.items()) item.value() = without_state_durations(item.value());
  } else if (json.is_array()) {
    for (Json& element : json) element = without_state_durations(element);
  }
  return json;
}

TEST(VertexJson, HasFlinksShape) {
  const pb::JobDetails job = sample_job();
  const pb::VertexDetails& vertex = job.vertices(0);
  EXPECT_THAT(shape_differences(without_state_durations(golden("vertex")),
                                vertex_body(job, vertex, kSampleNowMs)),
              IsEmpty());
  EXPECT_THAT(shape_differences(without_state_durations(golden("vertex_taskmanagers")),
                                vertex_taskmanagers_body(job, vertex, kSampleNowMs)),
              IsEmpty());
  EXPECT_THAT(shape_differences(without_state_durations(golden("subtask")),
                                subtask_body(job, vertex.subtasks(1), kSampleNowMs)),
              IsEmpty());
}

TEST(VertexJson, SaysWhereSubtasksRunAndSumsThemUp) {
  const pb::JobDetails job = sample_job();
  const Json body = vertex_body(job, job.vertices(0), kSampleNowMs);
  EXPECT_EQ(body["subtasks"][1]["taskmanager-id"], "127.0.0.1:40111-3f");
  EXPECT_EQ(body["subtasks"][1]["endpoint"], "127.0.0.1:40111");
  EXPECT_EQ(body["subtasks"][1]["attempt"], 3);
  EXPECT_EQ(body["subtasks"][1]["duration"], 52000);
  EXPECT_EQ(body["aggregated"]["metrics"]["read-records"]["sum"], 500);
  EXPECT_EQ(vertex_taskmanagers_body(job, job.vertices(0), kSampleNowMs)["taskmanagers"].size(), 2);
}

TEST(VertexJson, RatesTheBackpressureOfItsWorstSubtask) {
  const pb::JobDetails job = sample_job();
  const Json body = backpressure_body(job.vertices(0), kSampleNowMs);
  EXPECT_THAT(shape_differences(golden("backpressure"), body), IsEmpty());
  EXPECT_EQ(body["backpressureLevel"], "high");
  EXPECT_EQ(body["subtasks"][0]["backpressureLevel"], "ok");
  EXPECT_EQ(body["subtasks"][1]["ratio"], 0.6);
  EXPECT_EQ(backpressure_body(pb::VertexDetails(), kSampleNowMs)["status"], "deprecated");
}

TEST(VertexJson, TakesItsStateFromItsWorstSubtask) {
  pb::VertexDetails vertex;
  vertex.set_parallelism(2);
  EXPECT_EQ(vertex_state(vertex), "CREATED");
  (*vertex.mutable_tasks_by_state())["RUNNING"] = 1;
  (*vertex.mutable_tasks_by_state())["FINISHED"] = 1;
  EXPECT_EQ(vertex_state(vertex), "RUNNING");
  (*vertex.mutable_tasks_by_state())["FAILED"] = 1;
  EXPECT_EQ(vertex_state(vertex), "FAILED");
  vertex.clear_tasks_by_state();
  (*vertex.mutable_tasks_by_state())["FINISHED"] = 2;
  EXPECT_EQ(vertex_state(vertex), "FINISHED");
}

TEST(CheckpointJson, HasFlinksShape) {
  pb::JobDetails job = sample_job();
  EXPECT_THAT(shape_differences(golden("checkpoint_config"), checkpoint_config_body(job)),
              IsEmpty());
  auto details = checkpoint_details_body(job, 24);
  ASSERT_THAT(details, IsOk());
  Json expected = golden("checkpoint_details");
  expected["tasks"] = Json::object();  // figures by vertex aren't kept
  EXPECT_THAT(shape_differences(expected, *details), IsEmpty());
  job.mutable_checkpoints()->DeleteSubrange(0, 2);  // Flink's history has neither
  EXPECT_THAT(shape_differences(golden("checkpoints"), checkpoints_body(job)), IsEmpty());
}

TEST(CheckpointJson, ShowsTheLatestOfEachKind) {
  pb::JobDetails job = sample_job();
  job.mutable_restored()->set_checkpoint_id(20);
  const Json body = checkpoints_body(job);
  EXPECT_EQ(body["latest"]["completed"]["id"], 24);
  EXPECT_EQ(body["latest"]["completed"]["discarded"], false);
  EXPECT_EQ(body["latest"]["savepoint"]["id"], 25);
  EXPECT_EQ(body["latest"]["savepoint"]["checkpoint_type"], "SAVEPOINT");
  EXPECT_EQ(body["latest"]["failed"]["className"], "failed");
  EXPECT_THAT(body["latest"]["failed"]["failure_message"].get<std::string>(), HasSubstr("expired"));
  EXPECT_EQ(body["latest"]["restored"]["id"], 20);
  EXPECT_EQ(body["summary"]["end_to_end_duration"]["min"], 240);
  EXPECT_EQ(body["history"].size(), 3);
}

TEST(CheckpointJson, SaysWhatTheConfigurationSays) {
  const Json body = checkpoint_config_body(sample_job());
  EXPECT_EQ(body["mode"], "exactly_once");
  EXPECT_EQ(body["interval"], 2000);
  EXPECT_EQ(body["state_backend"], "EmbeddedRocksDBStateBackend");
}

TEST(CheckpointJson, KnowsNothingOfCheckpointsBeforeItsHistory) {
  EXPECT_THAT(checkpoint_details_body(sample_job(), 3), StatusIs(absl::StatusCode::kNotFound));
}

TEST(MetricJson, HasFlinksShapeWithTextAsValues) {
  const Metrics metrics = job_metrics(sample_job(), kSampleNowMs);
  const Json body = metrics_body(metrics, "uptime,numRestarts");
  EXPECT_THAT(shape_differences(golden("job_metrics"), body), IsEmpty());
  EXPECT_EQ(body, Json::parse(R"([{"id":"numRestarts","value":"0"},
                                  {"id":"uptime","value":"50000"}])"));
  EXPECT_FALSE(metrics_body(metrics, "")[0].contains("value"));
}

TEST(MetricJson, ShowsHowLongTransactionsWaitForTheirCommit) {
  pb::JobDetails job = sample_job();
  job.set_transaction_oldest_prepared_age_ms(4200);
  EXPECT_EQ(job_metrics(job, kSampleNowMs).at("weir_transaction_oldest_prepared_age_ms"), "4200");
}

TEST(MetricJson, ShowsWhatSubtasksDoPerSecond) {
  const Metrics metrics = vertex_metrics(sample_job().vertices(0));
  EXPECT_EQ(metrics.at("0.busyTimeMsPerSecond"), "300");
  EXPECT_EQ(metrics.at("0.idleTimeMsPerSecond"), "600");
  EXPECT_EQ(metrics.at("1.backPressuredTimeMsPerSecond"), "600");
  EXPECT_EQ(metrics.at("1.numRecordsInPerSecond"), "2500.5");
}

TEST(MetricJson, AggregatesOverSubtasks) {
  const pb::JobDetails job = sample_job();
  const auto body =
      aggregated_metrics_body(job.vertices(0), "numRecordsIn", "min,max,avg,sum,skew");
  ASSERT_THAT(body, IsOk());
  EXPECT_THAT(shape_differences(golden("aggregated_metrics"), *body), IsEmpty());
  EXPECT_EQ((*body)[0]["avg"], 250.0);
  EXPECT_EQ((*body)[0]["skew"], 60.0);
  EXPECT_THAT(aggregated_metrics_body(job.vertices(0), "numRecordsIn", "median"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("median")));
}

TEST(MetricJson, ShowsWhatCoordinatorsMeasure) {
  pb::VertexDetails vertex;
  EXPECT_EQ(metrics_body(coordinator_metrics(vertex), ""), Json::array());
  (*vertex.mutable_coordinator_gauges())["lines.partitionDiscoveryFailed"] = 1;
  EXPECT_EQ(metrics_body(coordinator_metrics(vertex), "lines.partitionDiscoveryFailed"),
            Json::parse(R"([{"id":"lines.partitionDiscoveryFailed","value":"1"}])"));
}

TEST(StatisticsJson, InterpolatesAsFlinkDoes) {
  const Json two = aggregate({4897, 3830});
  EXPECT_EQ(two["median"], 4363);
  EXPECT_EQ(two["p25"], 3830);
  EXPECT_EQ(two["p95"], 4897);
  const Json three = distribution({30, 10, 20});
  EXPECT_EQ(three["p50"], 20.0);
  EXPECT_EQ(three["p999"], 30.0);
  EXPECT_EQ(distribution({})["p50"], "NaN");
}

}  // namespace
}  // namespace weir::rest
