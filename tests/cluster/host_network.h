#pragma once

// Hosts for the TaskManagers of a test: network namespaces, made and broken by deploy/cluster.
//
//   HostNetwork network(3);
//   KafkaFixture kafka(1, {}, network.bridge());
//   MiniCluster cluster({.taskmanagers = 3, .hosts = &network});
//   {
//     const HostNetwork::Fault cut = network.cut("host-1");
//     …
//   }

#include <string>
#include <vector>

namespace weir::cluster_test {

// Methods throw std::runtime_error with the cause when the system refuses. The hosts go with this
// object, and with the test's process.
class HostNetwork {
 public:
  // Why this machine can't have hosts; empty if it can.
  static std::string why_not();

  explicit HostNetwork(int hosts);
  ~HostNetwork();
  HostNetwork(const HostNetwork&) = delete;
  HostNetwork& operator=(const HostNetwork&) = delete;

  // Lasts as long as this object, and is gone when the destructor returns. The network outlives it.
  class Fault {
   public:
    Fault(const HostNetwork& network, const std::vector<std::string>& begin,
          std::vector<std::string> end);
    ~Fault();
    Fault(const Fault&) = delete;
    Fault& operator=(const Fault&) = delete;

   private:
    const HostNetwork& network_;
    const std::vector<std::string> end_;
  };

  // Hosts are "host-1", "host-2" …; "jobmanager" is what it says, "bridge" where all else is. The
  // link is down.
  [[nodiscard]] Fault cut(const std::string& host) const;
  // What `sender` sends to `receiver` is lost.
  [[nodiscard]] Fault drop(const std::string& sender, const std::string& receiver) const;
  // Of both directions: "20mbit".
  [[nodiscard]] Fault limit(const std::string& host, const std::string& rate) const;

  const std::string& bridge() const { return address("bridge"); }
  const std::string& address(const std::string& host) const { return find(host).address; }
  // The command line that runs `command` on a host.
  std::vector<std::string> on(const std::string& host, std::vector<std::string> command) const;

 private:
  struct Host {
    std::string name;
    std::string address;
    std::string network_namespace;
  };
  const Host& find(const std::string& name) const;
  // `deploy/cluster ARGUMENTS[0] --dir D ARGUMENTS…`; returns what it prints.
  std::string deploy(const std::vector<std::string>& arguments) const;

  std::string folder_;
  std::vector<Host> hosts_;
};

}  // namespace weir::cluster_test
