#include "taskmanager/network/input_connection.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace weir {

InputConnection::InputConnection(boost::asio::io_context& io_context, Options options)
    : io_context_(io_context),
      options_(std::move(options)),
      resolver_(io_context),
      connect_timer_(io_context),
      socket_(std::make_shared<FrameSocket>(boost::asio::ip::tcp::socket(io_context),
                                            options_.silence_timeout)) {
  socket_->send(
      encode_frame({.type = FrameType::kHello}, encode_hello({.address = options_.own_address})));
}

void InputConnection::connect() {
  const size_t colon = options_.address.rfind(':');
  if (colon == std::string::npos) {
    return shut(absl::InvalidArgumentError("its address isn't host:port"));
  }
  connect_timer_.expires_after(options_.silence_timeout);
  connect_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || self->connected_ || self->closed_) return;
    self->shut(absl::UnavailableError(
        absl::StrCat("it doesn't answer within ", self->options_.silence_timeout.count(), " ms")));
  });
  resolver_.async_resolve(
      options_.address.substr(0, colon), options_.address.substr(colon + 1),
      [self = shared_from_this()](const boost::system::error_code& error, Endpoints endpoints) {
        if (self->closed_) return;
        if (error) return self->shut(absl::UnavailableError(error.message()));
        self->connect_to(endpoints);
      });
}

void InputConnection::connect_to(const Endpoints& endpoints) {
  boost::asio::async_connect(
      socket_->socket(), endpoints,
      [self = shared_from_this()](const boost::system::error_code& error, const auto&) {
        if (self->closed_) return;
        if (error) return self->shut(absl::UnavailableError(error.message()));
        self->connected_ = true;
        self->connect_timer_.cancel();
        self->socket_->start(self);
      });
}

void InputConnection::open(const InputChannel& from, int index,
                           std::shared_ptr<RemoteChannels> gate,
                           std::shared_ptr<ChannelQueue> queue) {
  const uint32_t number = ++last_channel_;
  gate->connect(index, weak_from_this(), number);
  socket_->send(encode_frame({.type = FrameType::kOpen,
                              .channel = number,
                              .number = static_cast<uint32_t>(gate->initial_credits())},
                             encode_open({from.partition, from.channel})));
  channels_[number] = {index, std::move(gate), std::move(queue)};
}

void InputConnection::close(const RemoteChannels& gate) {
  for (auto at = channels_.begin(); at != channels_.end();) {
    if (at->second.gate.get() == &gate) {
      socket_->send(encode_frame({.type = FrameType::kClose, .channel = at->first}, ""));
      at = channels_.erase(at);
    } else {
      ++at;
    }
  }
  end_if_unused();
}

void InputConnection::shut(const absl::Status& status) {
  if (connected_) return socket_->close(status);
  boost::system::error_code ignored;
  socket_->socket().close(ignored);
  resolver_.cancel();
  connect_timer_.cancel();
  on_closed(status);
}

void InputConnection::end_if_unused() {
  if (unused_ || closed_ || !channels_.empty()) return;
  unused_ = true;
  options_.on_unused(*this);
  if (connected_) {
    socket_->close_after_writes();
  } else {
    shut(absl::OkStatus());
  }
}

void InputConnection::on_closed(const absl::Status& status) {
  if (std::exchange(closed_, true)) return;
  const absl::Status failure =
      Annotate(status, absl::StrCat("connection to the TaskManager at ", options_.address));
  for (auto& [number, channel] : std::exchange(channels_, {})) {
    channel.gate->on_end(channel.index);
    channel.queue->fail(failure);
  }
  options_.on_closed(*this);
}

void InputConnection::grant(uint32_t channel, int credits) {
  {
    MutexLock lock(mutex_);
    const bool told = !grants_.empty();
    grants_[channel] += credits;
    if (told) return;
  }
  boost::asio::post(io_context_, [self = shared_from_this()] { self->socket_->wake(); });
}

void InputConnection::fill(WriteBatch& batch) {
  MutexLock lock(mutex_);
  while (!grants_.empty() && !batch.full()) {
    const auto [channel, credits] = *grants_.begin();
    grants_.erase(grants_.begin());
    if (!channels_.contains(channel)) continue;
    batch.add(encode_frame(
        {.type = FrameType::kCredit, .channel = channel, .number = static_cast<uint32_t>(credits)},
        ""));
  }
}

absl::StatusOr<InputConnection::Channel*> InputConnection::receive_on(const FrameHeader& header) {
  if (header.channel == kNoChannel || header.channel > last_channel_) {
    return absl::DataLossError(
        absl::StrCat("a frame came on channel ", header.channel, ", which isn't open"));
  }
  const auto found = channels_.find(header.channel);
  if (found == channels_.end()) return nullptr;
  Channel& channel = found->second;
  if (header.number != channel.last_number + 1) {
    return absl::DataLossError(absl::StrCat("frame ", header.number, " of channel ", header.channel,
                                            " came after frame ", channel.last_number));
  }
  ++channel.last_number;
  return &channel;
}

absl::StatusOr<char*> InputConnection::memory_for(const FrameHeader& header) {
  WEIR_ASSIGN_OR_RETURN(Channel * channel, receive_on(header));
  if (!channel) return nullptr;
  WEIR_ASSIGN_OR_RETURN(receiving_, channel->gate->take_buffer(channel->index, header.backlog));
  receiving_.set_size(header.body_bytes);
  receiving_.set_continued(header.continued);
  return receiving_.memory();
}

absl::Status InputConnection::on_frame(const FrameHeader& header, std::string_view body) {
  switch (header.type) {
    case FrameType::kHello:
      return decode_hello(body).status();
    case FrameType::kBuffer: {
      Buffer buffer = std::move(receiving_);
      const auto found = channels_.find(header.channel);
      if (found != channels_.end()) found->second.queue->push(std::move(buffer));
      return absl::OkStatus();
    }
    case FrameType::kEvent:
      return on_event(header, body);
    case FrameType::kError:
      return on_error(header, body);
    default:
      return absl::DataLossError("a producer sent a reader's frame");
  }
}

absl::Status InputConnection::on_event(const FrameHeader& header, std::string_view body) {
  WEIR_ASSIGN_OR_RETURN(Channel * channel, receive_on(header));
  if (!channel) return absl::OkStatus();
  WEIR_ASSIGN_OR_RETURN(const Event event, decode_event(body));
  if (header.priority) {
    channel->queue->push_priority_with_overtaken(event);
    return absl::OkStatus();
  }
  channel->queue->push(event);
  if (event.kind == Event::Kind::kEndOfPartition) {
    channel->gate->on_end(channel->index);
    channels_.erase(header.channel);
    end_if_unused();
  }
  return absl::OkStatus();
}

absl::Status InputConnection::on_error(const FrameHeader& header, std::string_view body) {
  const absl::Status status = status_of_error(header, body);
  if (header.channel == kNoChannel) {
    socket_->close(status);
    return absl::OkStatus();
  }
  const auto found = channels_.find(header.channel);
  if (found == channels_.end()) return absl::OkStatus();
  const Channel channel = std::move(found->second);
  channels_.erase(found);
  channel.gate->on_end(channel.index);
  channel.queue->fail(Annotate(status, absl::StrCat("TaskManager at ", options_.address)));
  end_if_unused();
  return absl::OkStatus();
}

}  // namespace weir
