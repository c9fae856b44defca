#include "taskmanager/network/output_connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <limits>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"

namespace weir {

OutputConnection::OutputConnection(boost::asio::io_context& io_context,
                                   boost::asio::ip::tcp::socket socket, Options options)
    : io_context_(io_context),
      options_(std::move(options)),
      socket_(std::make_shared<FrameSocket>(std::move(socket), options_.silence_timeout)) {
  boost::system::error_code error;
  const auto remote = socket_->socket().remote_endpoint(error);
  peer_ = error ? error.message() : absl::StrCat(remote.address().to_string(), ":", remote.port());
}

void OutputConnection::start() {
  socket_->start(shared_from_this());
}

void OutputConnection::shut(const absl::Status& status) {
  socket_->close(status);
}

void OutputConnection::on_closed(const absl::Status& status) {
  if (!greeted_) WEIR_LOG_WARN({}, "data connection from {} refused: {}", peer_, status.ToString());
  for (auto& [number, channel] : std::exchange(channels_, {})) {
    channel.partition->queue(channel.partition_channel).detach();
    channel.partition->on_reader_lost(
        channel.partition_channel,
        Annotate(status,
                 absl::StrCat("channel ", channel.partition_channel, " of '",
                              channel.partition->name(), "', read by the TaskManager at ", peer_)));
  }
  options_.on_closed(*this);
}

absl::StatusOr<char*> OutputConnection::memory_for(const FrameHeader&) {
  return absl::DataLossError("a reader sent a buffer");
}

absl::Status OutputConnection::on_frame(const FrameHeader& header, std::string_view body) {
  if (!greeted_ && header.type != FrameType::kHello) {
    return absl::DataLossError("the first frame isn't a hello");
  }
  switch (header.type) {
    case FrameType::kHello:
      return on_hello(body);
    case FrameType::kOpen:
      return on_open(header, body);
    case FrameType::kCredit:
      on_credit(header);
      return absl::OkStatus();
    case FrameType::kClose:
      close_channel(header.channel);
      return absl::OkStatus();
    case FrameType::kError:
      socket_->close(status_of_error(header, body));
      return absl::OkStatus();
    default:
      return absl::DataLossError("a reader sent a producer's frame");
  }
}

absl::Status OutputConnection::on_hello(std::string_view body) {
  WEIR_ASSIGN_OR_RETURN(const HelloFrame hello, decode_hello(body));
  peer_ = hello.address;
  greeted_ = true;
  socket_->send(
      encode_frame({.type = FrameType::kHello}, encode_hello({.address = options_.own_address})));
  return absl::OkStatus();
}

absl::Status OutputConnection::on_open(const FrameHeader& header, std::string_view body) {
  if (header.channel != last_channel_ + 1) {
    return absl::DataLossError(
        absl::StrCat("channel ", header.channel, " was opened after ", last_channel_));
  }
  ++last_channel_;
  WEIR_ASSIGN_OR_RETURN(const OpenFrame request, decode_open(body));
  if (const absl::Status status = open(header, request); !status.ok()) {
    socket_->send(encode_error_frame(header.channel, status));
  }
  return absl::OkStatus();
}

absl::Status OutputConnection::open(const FrameHeader& header, const OpenFrame& request) {
  WEIR_ASSIGN_OR_RETURN(auto partition,
                        options_.registry->find(request.partition, request.channel));
  ChannelQueue& queue = partition->queue(request.channel);
  channels_[header.channel] = {std::move(partition), request.channel, header.number};
  const absl::Status attached = queue.attach(weak_from_this(), static_cast<int>(header.channel));
  if (!attached.ok()) channels_.erase(header.channel);
  return attached;
}

void OutputConnection::on_credit(const FrameHeader& header) {
  const auto found = channels_.find(header.channel);
  if (found == channels_.end()) return;  // it has ended
  found->second.credits += header.number;
  mark_ready(header.channel);
  socket_->wake();
}

void OutputConnection::close_channel(uint32_t number) {
  const auto found = channels_.find(number);
  if (found == channels_.end()) return;
  found->second.partition->queue(found->second.partition_channel).detach();
  channels_.erase(found);
}

void OutputConnection::on_waiting(int channel, bool) {
  {
    MutexLock lock(mutex_);
    const bool told = !waiting_.empty();
    waiting_.push_back(static_cast<uint32_t>(channel));
    if (told) return;
  }
  boost::asio::post(io_context_, [self = shared_from_this()] { self->take_news(); });
}

void OutputConnection::on_failed(int channel, const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    failed_.emplace_back(static_cast<uint32_t>(channel), status);
  }
  boost::asio::post(io_context_, [self = shared_from_this()] { self->take_news(); });
}

void OutputConnection::take_news() {
  std::vector<uint32_t> waiting;
  std::vector<std::pair<uint32_t, absl::Status>> failed;
  {
    MutexLock lock(mutex_);
    waiting.swap(waiting_);
    failed.swap(failed_);
  }
  for (const auto& [number, status] : failed) {
    if (channels_.erase(number) > 0) socket_->send(encode_error_frame(number, status));
  }
  for (const uint32_t number : waiting) mark_ready(number);
  socket_->wake();
}

void OutputConnection::mark_ready(uint32_t number) {
  const auto found = channels_.find(number);
  if (found != channels_.end() && !std::exchange(found->second.ready, true)) {
    ready_.push_back(number);
  }
}

void OutputConnection::fill(WriteBatch& batch) {
  while (!ready_.empty() && !batch.full()) {
    const uint32_t number = ready_.front();
    ready_.pop_front();
    fill_from(number, batch);
  }
}

void OutputConnection::fill_from(uint32_t number, WriteBatch& batch) {
  const auto found = channels_.find(number);
  if (found == channels_.end()) return;
  Channel& channel = found->second;
  channel.ready = false;
  ChannelQueue::Popped popped =
      channel.partition->queue(channel.partition_channel)
          .pop(channel.credits > 0 ? ChannelQueue::Take::kAnything : ChannelQueue::Take::kEvents);
  if (!popped.item) return;  // until there is credit
  FrameHeader header{.type = FrameType::kBuffer,
                     .priority = popped.item->priority,
                     .backlog = static_cast<uint16_t>(std::min<int>(
                         popped.buffers_waiting, std::numeric_limits<uint16_t>::max())),
                     .channel = number,
                     .number = ++channel.last_number};
  if (Buffer* buffer = std::get_if<Buffer>(&popped.item->content)) {
    --channel.credits;
    header.continued = buffer->continued();
    header.body_bytes = static_cast<uint32_t>(buffer->size());
    batch.add(header, std::move(*buffer));
  } else {
    const Event& event = std::get<Event>(popped.item->content);
    header.type = FrameType::kEvent;
    batch.add(encode_frame(header, encode_event(event)));
    if (event.kind == Event::Kind::kEndOfPartition) {
      channels_.erase(found);
      return;
    }
  }
  if (popped.more) mark_ready(number);
}

}  // namespace weir
