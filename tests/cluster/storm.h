#pragma once

#include <random>
#include <string>
#include <vector>

#include "tests/cluster/host_network.h"
#include "tests/cluster/kafka_fixture.h"
#include "tests/cluster/mini_cluster.h"

namespace weir::cluster_test {

// Processes killed, and paused for shorter and longer than the heartbeat timeout, and links cut for
// longer than that, at random.
class Storm {
 public:
  // The victims are processes of the cluster, "broker": Kafka's first, and hosts of `hosts`, whose
  // links are cut from all others or on the way to the JobManager. All outlive the storm.
  Storm(MiniCluster& cluster, KafkaFixture& kafka, unsigned seed, std::vector<std::string> victims,
        const HostNetwork* hosts = nullptr);

  void add_victim(const std::string& name) { victims_.push_back(name); }
  void spare(const std::string& name) { std::erase(victims_, name); }

  // One fault, after a random pause. The victim runs again, or is reached, when it returns.
  void strike();

 private:
  int draw(int min, int max) { return std::uniform_int_distribution(min, max)(random_); }
  void pause(int min_ms, int max_ms);
  void strike_link(const std::string& host);

  MiniCluster& cluster_;
  KafkaFixture& kafka_;
  const HostNetwork* const hosts_;
  std::mt19937 random_;
  std::vector<std::string> victims_;
};

}  // namespace weir::cluster_test
