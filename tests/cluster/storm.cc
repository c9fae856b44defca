#include "tests/cluster/storm.h"

#include <chrono>
#include <iostream>
#include <thread>
#include <utility>

namespace weir::cluster_test {

Storm::Storm(MiniCluster& cluster, KafkaFixture& kafka, unsigned seed,
             std::vector<std::string> victims, const HostNetwork* hosts)
    : cluster_(cluster),
      kafka_(kafka),
      hosts_(hosts),
      random_(seed),
      victims_(std::move(victims)) {}

void Storm::pause(int min_ms, int max_ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(draw(min_ms, max_ms)));
}

void Storm::strike() {
  pause(0, 4000);
  const std::string victim = victims_[draw(0, static_cast<int>(victims_.size()) - 1)];
  if (victim.starts_with("host-")) return strike_link(victim);
  const bool kill = draw(0, 2) > 0;
  std::cout << (kill ? "SIGKILL " : "SIGSTOP ") << victim << std::endl;
  if (victim == "broker") {
    kill ? kafka_.kill(1) : kafka_.pause(1);
    pause(0, 1000);
    kill ? kafka_.restart(1) : kafka_.resume(1);
  } else if (kill) {
    cluster_.kill(victim);
    pause(0, 2000);
    cluster_.restart(victim);
  } else {
    cluster_.pause(victim);
    pause(0, 4000);
    cluster_.resume(victim);
  }
}

void Storm::strike_link(const std::string& host) {
  const bool is_cut = draw(0, 1) == 0;
  std::cout << (is_cut ? "link of " : "link to the JobManager of ") << host << std::endl;
  const HostNetwork::Fault fault = is_cut ? hosts_->cut(host) : hosts_->drop(host, "jobmanager");
  pause(2500, 6000);
}

}  // namespace weir::cluster_test
