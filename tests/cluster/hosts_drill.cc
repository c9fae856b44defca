#include "tests/cluster/hosts_drill.h"

#include <nlohmann/json.hpp>

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

std::unique_ptr<ProcessedDrill> HostsDrillTest::start_keyed_drill(int hosts) {
  auto drill = std::make_unique<ProcessedDrill>(*kafka_, keyed_drill(hosts));
  drill->start();
  drill->wait_for_checkpoints(drawn(3, 1, 12));
  return drill;
}

std::string host_of(const std::string& taskmanager) {
  return "host" + taskmanager.substr(taskmanager.rfind('-'));
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
