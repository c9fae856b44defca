// A source of lines that somebody sends over TCP, for trying things out: `nc -lk 9999`.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "weir/source.h"

namespace weir {

// Connects to a server and makes a record of each text that it sends, up to the delimiter.
//
//   env.from_source(SocketTextSource("localhost", 9999).max_retries(10), …, "lines")
//
// At most once: a server doesn't send again what it has sent, so the lines between the last
// checkpoint and a failure are lost, and a job that reads them says so when it is submitted. One
// subtask reads; deal the lines out with rebalance() if they are many.
//
// When the server closes the connection, what it sent after the last delimiter is a record too.
// Then the source ends, or with max_retries() connects again.
class SocketTextSource : public Source<std::string> {
 public:
  // A name or an address. Throws FatalError when the port isn't one.
  SocketTextSource(std::string host, int port);

  // By default "\n", which takes a '\r' before it away.
  SocketTextSource& delimiter(std::string delimiter);
  // How often in a row it connects again, without having received anything, after the server
  // closed the connection or couldn't be reached; below 0: for ever. By default 0. After the last
  // one a closed connection ends the source, and one that failed or was refused fails the task.
  SocketTextSource& max_retries(int retries);
  // Before each of them; by default 500 ms.
  SocketTextSource& retry_delay(std::chrono::milliseconds delay);
  // A longer text fails the task; by default 1 MiB.
  SocketTextSource& max_line_bytes(std::size_t bytes);

  std::unique_ptr<SourceReader<std::string>> create_reader() const override;
  std::unique_ptr<SourceCoordinator> create_coordinator() const override;
  int parallelism_max() const override { return 1; }
  std::string caveat() const override;

 private:
  std::string host_;
  int port_;
  std::string delimiter_ = "\n";
  int max_retries_ = 0;
  std::chrono::milliseconds retry_delay_{500};
  std::size_t max_line_bytes_ = std::size_t{1} << 20;
};

}  // namespace weir
