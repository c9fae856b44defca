#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/socket/delimited_text.h"
#include "connectors/socket/tcp_client.h"
#include "weir/source.h"

namespace weir::socket {

// As SocketTextSource's setters say.
struct SocketOptions {
  std::string host;
  int port = 0;
  std::string delimiter;
  int max_retries = 0;
  std::chrono::milliseconds retry_delay{0};
  std::size_t max_line_bytes = 0;

  std::string address() const { return host + ":" + std::to_string(port); }
};

// Reads the source's one split, which has no position: a server can't be asked for lines again.
class SocketReader final : public SourceReader<std::string> {
 public:
  explicit SocketReader(SocketOptions options);

  void open(SourceReaderContext& /*context*/) override {}
  void add_splits(std::span<const Split> splits) override;
  void no_more_splits() override { no_more_splits_ = true; }
  PollStatus poll(std::chrono::milliseconds wait) override;
  std::vector<Split> snapshot(std::int64_t checkpoint_id) override;
  IoCounts io_counts() const override { return counts_; }
  void wake_up() override { wake_up_.wake_up(); }
  void close() override { client_.close(); }

 private:
  // How many bytes came, 0 at the end of the connection, nothing when the wait is over. Throws
  // Error for what a new connection may mend.
  std::optional<std::size_t> receive(Deadline deadline);
  // The connection is gone. False when there is no retry left.
  bool retry();
  void collect(std::string_view line);

  const SocketOptions options_;
  WakeUp wake_up_;
  TcpClient client_;
  DelimitedText text_;
  std::vector<char> received_;
  std::vector<Split> splits_;
  bool no_more_splits_ = false;
  bool ended_ = false;
  int retries_ = 0;      // since something was received
  Deadline retry_at_{};  // while there is no connection
  IoCounts counts_;
};

}  // namespace weir::socket
