#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/file_descriptor.h"

namespace weir::socket {

using Deadline = std::chrono::steady_clock::time_point;

// Ends another thread's wait, also one that begins only afterwards.
class WakeUp {
 public:
  WakeUp();
  // Thread-safe.
  void wake_up();
  // Waits until the socket can be read or written (`events` of poll(2)): true. False: the time is
  // up, or somebody called wake_up(). Without a socket (-1) it waits for these two.
  bool wait(int fd, short events, Deadline deadline);

 private:
  FileDescriptor event_;
};

// Reads from a TCP server. Every wait ends at its deadline or by `wake_up`, which outlives the
// client; the name lookup alone knows no end but the resolver's own. Failures are Errors.
//
// Confined to one thread.
class TcpClient {
 public:
  TcpClient(std::string host, int port, WakeUp& wake_up);

  enum class Connected { kYes, kNotYet };
  // Tries each address of the host in turn; goes on at the next call. Throws when none answers.
  Connected connect(Deadline deadline);
  bool is_connected() const { return is_connected_; }
  // The bytes that came, as many as are there and fit; 0 when the server has closed the connection;
  // nothing when none came until the deadline.
  std::optional<std::size_t> receive(std::span<char> buffer, Deadline deadline);
  void close();

 private:
  struct Address {
    int family = 0;
    std::string bytes;  // a sockaddr
  };

  std::vector<Address> look_up() const;
  // Whether a connection to the first of addresses_ is under way.
  bool begin_connect();

  const std::string host_;
  const int port_;
  WakeUp& wake_up_;
  std::vector<Address> addresses_;  // still to be tried; the first one's connect() is under way
  FileDescriptor socket_;
  bool is_connected_ = false;
  std::string failure_;  // of the last address that was tried
};

}  // namespace weir::socket
