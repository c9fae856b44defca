#include <limits>
#include <utility>

#include "connectors/socket/socket_reader.h"
#include "weir/error.h"
#include "weir/socket.h"

namespace weir {
namespace {

// Gives the one reader the one split, whose state is empty.
class SocketCoordinator final : public SourceCoordinator {
 public:
  void open(SourceCoordinatorContext& context) override { context_ = &context; }
  void validate() override {}
  std::string resolve() override { return {}; }
  void restore(std::string_view /*state*/, std::span<const Split> /*splits*/) override {}
  void start() override {
    context_->assign_splits(0, {Split{"socket", ""}});
    context_->signal_no_more_splits(0);
  }
  std::string snapshot(std::int64_t /*checkpoint_id*/) override { return {}; }

 private:
  SourceCoordinatorContext* context_ = nullptr;
};

}  // namespace

SocketTextSource::SocketTextSource(std::string host, int port)
    : host_(std::move(host)), port_(port) {
  if (port < 1 || port > std::numeric_limits<std::uint16_t>::max()) {
    throw FatalError("the socket's port is " + std::to_string(port) +
                     ": it must be between 1 and 65535");
  }
}

SocketTextSource& SocketTextSource::delimiter(std::string delimiter) {
  if (delimiter.empty()) throw FatalError("the socket's delimiter is empty");
  return delimiter_ = std::move(delimiter), *this;
}
SocketTextSource& SocketTextSource::max_retries(int retries) {
  return max_retries_ = retries, *this;
}
SocketTextSource& SocketTextSource::retry_delay(std::chrono::milliseconds delay) {
  return retry_delay_ = delay, *this;
}
SocketTextSource& SocketTextSource::max_line_bytes(std::size_t bytes) {
  return max_line_bytes_ = bytes, *this;
}

std::unique_ptr<SourceReader<std::string>> SocketTextSource::create_reader() const {
  return std::make_unique<socket::SocketReader>(
      socket::SocketOptions{host_, port_, delimiter_, max_retries_, retry_delay_, max_line_bytes_});
}

std::unique_ptr<SourceCoordinator> SocketTextSource::create_coordinator() const {
  return std::make_unique<SocketCoordinator>();
}

std::string SocketTextSource::caveat() const {
  return "a socket can't be read again: at most once, lines since the last checkpoint are lost "
         "when the job fails";
}

}  // namespace weir
