#include "taskmanager/network/result_partition.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"
#include "taskmanager/network/channel_queue.h"
#include "taskmanager/network/partition_registry.h"
#include "weir/error.h"

namespace weir {

ResultPartition::ResultPartition(Options options, std::shared_ptr<PartitionChannels> channels,
                                 PartitionRegistry& registry)
    : options_(std::move(options)),
      channels_(std::move(channels)),
      registry_(registry),
      open_(options_.channels) {
  spaces_.resize(options_.channels);
}

ResultPartition::~ResultPartition() {
  registry_.remove(options_.id);
  channels_->close(
      absl::CancelledError(absl::StrCat("'", options_.name, "', which sends it, was cancelled")));
}

bool ResultPartition::writable() {
  return channels_->has_buffer();
}

void ResultPartition::flush() {
  flush_deadline_ = MonotonicTime::max();
  for (int channel = 0; channel < channels(); ++channel) {
    if (bytes_open(channel) == 0) continue;
    if (channels_->queue(channel).empty()) {
      send_open_buffer(channel, false);
    } else {
      flush_deadline_ = options_.clock->now() + options_.buffer_timeout;
    }
  }
}

void ResultPartition::broadcast_event(const Event& event) {
  send_all_open_buffers();
  const std::shared_ptr<void> departure =
      event.aligned_until_ms == kAlwaysAligned ? nullptr : channels_->make_departure();
  last_event_ = departure;
  for (int channel = 0; channel < channels(); ++channel) {
    channels_->queue(channel).push(event, departure);
  }
}

std::vector<std::vector<Buffer>> ResultPartition::broadcast_priority_event(const Event& event) {
  send_all_open_buffers();
  std::vector<std::vector<Buffer>> overtaken;
  for (int channel = 0; channel < channels(); ++channel) {
    overtaken.push_back(channels_->queue(channel).push_priority(event));
  }
  return overtaken;
}

std::vector<std::vector<Buffer>> ResultPartition::send_ahead(const Event& barrier) {
  std::vector<std::vector<Buffer>> overtaken;
  for (int channel = 0; channel < channels(); ++channel) {
    overtaken.push_back(channels_->queue(channel).push_ahead(barrier));
  }
  return overtaken;
}

void ResultPartition::finish() {
  broadcast_event(Event::end_of_partition());
}

bool ResultPartition::all_taken() const {
  for (int channel = 0; channel < channels(); ++channel) {
    if (!channels_->queue(channel).ended()) return false;
  }
  return true;
}

void ResultPartition::fail(const absl::Status& status) {
  channels_->close(Annotate(status, absl::StrCat("'", options_.name, "', which sends it, failed")));
}

void ResultPartition::cancel() {
  channels_->quota().cancel();
}

void ResultPartition::write_slow(int channel, std::string_view element) {
  if (bytes_open(channel) > 0) send_open_buffer(channel, false);
  while (true) {
    if (!open_[channel]) open_buffer(channel);
    const size_t piece = std::min(element.size(), kBufferBytes);
    append(channel, element.substr(0, piece));
    element.remove_prefix(piece);
    if (element.empty()) return;
    send_open_buffer(channel, true);
  }
}

Buffer ResultPartition::take_buffer() {
  if (Buffer buffer = channels_->quota().try_take()) return buffer;
  const MonotonicTime begin = options_.clock->now();
  Buffer buffer = channels_->quota().take();
  blocked_ += options_.clock->now() - begin;
  if (buffer) return buffer;
  const absl::Status failure = channels_->failure();
  throw Error(failure.ok() ? absl::StrCat("'", options_.name, "' was cancelled")
                           : std::string(failure.message()));
}

void ResultPartition::open_buffer(int channel) {
  Buffer buffer = take_buffer();
  spaces_[channel] = {buffer.memory(), buffer.memory() + kBufferBytes};
  open_[channel] = std::move(buffer);
  if (flush_deadline_ == MonotonicTime::max() && options_.buffer_timeout.count() >= 0) {
    flush_deadline_ = options_.clock->now() + options_.buffer_timeout;
  }
}

void ResultPartition::append(int channel, std::string_view bytes) {
  std::memcpy(spaces_[channel].next, bytes.data(), bytes.size());
  spaces_[channel].next += bytes.size();
}

void ResultPartition::send_open_buffer(int channel, bool continued) {
  Buffer buffer = std::move(open_[channel]);
  buffer.set_size(static_cast<size_t>(spaces_[channel].next - buffer.memory()));
  buffer.set_continued(continued);
  bytes_sent_ += buffer.size();
  spaces_[channel] = {};
  channels_->queue(channel).push(std::move(buffer));
}

void ResultPartition::send_all_open_buffers() {
  flush_deadline_ = MonotonicTime::max();
  for (int channel = 0; channel < channels(); ++channel) {
    if (bytes_open(channel) > 0) send_open_buffer(channel, false);
  }
}

size_t ResultPartition::bytes_open(int channel) const {
  if (!open_[channel]) return 0;
  return static_cast<size_t>(spaces_[channel].next - open_[channel].bytes().data());
}

}  // namespace weir
