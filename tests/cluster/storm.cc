#include "tests/cluster/storm.h"

#include <chrono>
#include <iostream>
#include <thread>
#include <utility>

namespace weir::cluster_test {

Storm::Storm(MiniCluster& cluster, KafkaFixture& kafka, unsigned seed,
             std::vector<std::string> victims)
    : cluster_(cluster), kafka_(kafka), random_(seed), victims_(std::move(victims)) {}

void Storm::pause(int min_ms, int max_ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(draw(min_ms, max_ms)));
}

void Storm::strike() {
  pause(0, 4000);
  const std::string victim = victims_[draw(0, static_cast<int>(victims_.size()) - 1)];
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

}  // namespace weir::cluster_test
