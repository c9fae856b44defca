#include "tests/cluster/host_network.h"

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "tests/cluster/process.h"

namespace weir::cluster_test {

std::string HostNetwork::why_not() {
  const CommandResult result = run_command({"unshare", "--net", "true"});
  return result.exit_code == 0 ? "" : "hosts of their own need root: " + result.errors;
}

HostNetwork::HostNetwork(int hosts) : folder_(make_temporary_folder("weir-hosts")) {
  std::istringstream lines(
      deploy({"hosts", "--owner", std::to_string(getpid()), std::to_string(hosts)}));
  for (Host host; lines >> host.name >> host.address >> host.network_namespace;) {
    hosts_.push_back(host);
  }
}

HostNetwork::~HostNetwork() {
  try {
    deploy({"stop"});
    std::filesystem::remove_all(folder_);
  } catch (const std::exception& error) {
    std::cerr << "hosts of " << folder_ << " are left: " << error.what() << "\n";
  }
}

HostNetwork::Fault::Fault(const HostNetwork& network, const std::vector<std::string>& begin,
                          std::vector<std::string> end)
    : network_(network), end_(std::move(end)) {
  network_.deploy(begin);
}

HostNetwork::Fault::~Fault() {
  try {
    network_.deploy(end_);
  } catch (const std::exception& error) {
    std::cerr << "a fault is left: " << error.what() << "\n";
  }
}

HostNetwork::Fault HostNetwork::cut(const std::string& host) const {
  return {*this, {"link", host, "down"}, {"link", host, "up"}};
}

HostNetwork::Fault HostNetwork::drop(const std::string& sender, const std::string& receiver) const {
  return {*this, {"drop", sender, receiver}, {"pass", sender, receiver}};
}

HostNetwork::Fault HostNetwork::limit(const std::string& host, const std::string& rate) const {
  return {*this, {"rate", host, rate}, {"rate", host, "unlimited"}};
}

std::vector<std::string> HostNetwork::on(const std::string& host,
                                         std::vector<std::string> command) const {
  command.insert(command.begin(), {"nsenter", "--net=/run/netns/" + find(host).network_namespace});
  return command;
}

const HostNetwork::Host& HostNetwork::find(const std::string& name) const {
  for (const Host& host : hosts_) {
    if (host.name == name) return host;
  }
  throw std::runtime_error("no host " + name);
}

std::string HostNetwork::deploy(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {WEIR_SOURCE_DIR "/deploy/cluster", arguments[0], "--dir",
                                      folder_};
  command.insert(command.end(), arguments.begin() + 1, arguments.end());
  const CommandResult result = run_command(command);
  if (result.exit_code != 0) throw std::runtime_error(result.errors);
  return result.output;
}

}  // namespace weir::cluster_test
