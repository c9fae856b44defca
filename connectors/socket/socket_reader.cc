#include "connectors/socket/socket_reader.h"

#include <algorithm>
#include <utility>

#include "weir/error.h"

namespace weir::socket {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kReceiveBytes = 64 * 1024;  // at a time, and so of a batch

}  // namespace

SocketReader::SocketReader(SocketOptions options)
    : options_(std::move(options)),
      client_(options_.host, options_.port, wake_up_),
      text_(options_.delimiter, options_.max_line_bytes),
      received_(kReceiveBytes) {}

void SocketReader::add_splits(std::span<const Split> splits) {
  splits_.insert(splits_.end(), splits.begin(), splits.end());
}

std::vector<Split> SocketReader::snapshot(std::int64_t /*checkpoint_id*/) {
  return splits_;
}

PollStatus SocketReader::poll(std::chrono::milliseconds wait) {
  const Deadline deadline = steady_clock::now() + wait;
  if (ended_ || (splits_.empty() && no_more_splits_)) return PollStatus::kEndOfInput;
  if (splits_.empty()) {
    wake_up_.wait(-1, 0, deadline);
    return PollStatus::kIdle;
  }
  std::optional<std::size_t> bytes;
  try {
    bytes = receive(deadline);
  } catch (const Error& error) {
    if (!retry()) throw Error("socket " + options_.address() + ": " + error.what());
    text_.take_rest();  // half a line
    return PollStatus::kIdle;
  }
  if (!bytes) return PollStatus::kIdle;
  if (*bytes == 0) {
    if (const auto rest = text_.take_rest()) collect(*rest);
    ended_ = !retry();
  } else {
    retries_ = 0;
    counts_.bytes += *bytes;
    text_.append({received_.data(), *bytes});
    while (const auto line = text_.next()) collect(*line);
  }
  return PollStatus::kMoreAvailable;
}

std::optional<std::size_t> SocketReader::receive(Deadline deadline) {
  if (!client_.is_connected()) {
    if (steady_clock::now() < retry_at_) wake_up_.wait(-1, 0, std::min(retry_at_, deadline));
    if (steady_clock::now() < retry_at_) return std::nullopt;
    if (client_.connect(deadline) == TcpClient::Connected::kNotYet) return std::nullopt;
  }
  return client_.receive(received_, deadline);
}

bool SocketReader::retry() {
  client_.close();
  if (options_.max_retries >= 0 && retries_ >= options_.max_retries) return false;
  ++retries_;
  retry_at_ = steady_clock::now() + options_.retry_delay;
  return true;
}

void SocketReader::collect(std::string_view line) {
  output().collect(line, kNoTimestamp);
  ++counts_.records;
}

}  // namespace weir::socket
