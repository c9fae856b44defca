#include "tests/cluster/hosts_drill.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/cluster/kill_drill.h"

namespace weir::cluster_test {

std::string HostsDrillTest::why_not_;
std::unique_ptr<HostNetwork> HostsDrillTest::network_;
std::unique_ptr<KafkaFixture> HostsDrillTest::kafka_;

void HostsDrillTest::SetUpTestSuite() {
  why_not_ = HostNetwork::why_not();
  if (!why_not_.empty()) return;
  network_ = std::make_unique<HostNetwork>(kHosts);
  kafka_ =
      std::make_unique<KafkaFixture>(1, std::map<std::string, std::string>(), network_->bridge());
}

void HostsDrillTest::TearDownTestSuite() {
  if (kafka_) expect_no_drill_left_anything_open(*kafka_);
  kafka_.reset();
  network_.reset();
}

void HostsDrillTest::SetUp() {
  if (!why_not_.empty()) GTEST_SKIP() << why_not_;
}

DrillOptions HostsDrillTest::keyed_drill(int hosts) {
  DrillOptions options = keyed_count_drill("rocksdb");
  options.cluster.taskmanagers = hosts;
  options.cluster.slots = 1;
  options.cluster.hosts = network_.get();
  options.parallelism = 3;
  return options;
}

std::string host_of(const std::string& taskmanager) {
  return "host" + taskmanager.substr(taskmanager.rfind('-'));
}

std::string taskmanager_of(MiniCluster& cluster, const std::string& job) {
  const nlohmann::json details = cluster.rest("/jobs/" + job);
  const std::string vertex = details.at("vertices").at(0).at("id");
  const nlohmann::json subtasks = cluster.rest("/jobs/" + job + "/vertices/" + vertex);
  const std::string endpoint = subtasks.at("subtasks").at(0).at("endpoint");  // host:pid
  for (int i = 1; i <= HostsDrillTest::kHosts; ++i) {
    const std::string name = "taskmanager-" + std::to_string(i);
    if (endpoint.ends_with(":" + std::to_string(cluster.pid(name)))) return name;
  }
  throw std::runtime_error("no process is " + endpoint);
}

static int count(const std::string& text, const std::string& word) {
  int found = 0;
  for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++found;
  return found;
}

void wait_for_end_of_tasks(MiniCluster& cluster, const std::string& taskmanager) {
  cluster.wait_until("the tasks of " + taskmanager + " to end", [&] {
    const std::string log = cluster.log(taskmanager);
    return log.find("lost the JobManager") != log.npos &&
           count(log, " DEPLOYED (") == count(log, " CANCELED (") + count(log, " FAILED: ");
  });
}

std::string last_cause(MiniCluster& cluster, const std::string& job) {
  const nlohmann::json history = cluster.rest("/jobs/" + job + "/exceptions");
  return history.at("exceptionHistory").at("entries").at(0).at("stacktrace");
}

}  // namespace weir::cluster_test
