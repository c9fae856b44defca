#include "connectors/kafka/source/source_reader.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "connectors/kafka/source/source_config.h"
#include "weir/error.h"

namespace weir::kafka {
namespace {

constexpr std::chrono::milliseconds kGaugeInterval{1000};
constexpr std::chrono::seconds kLastCommitWait{2};

struct NoConsumerClose {
  void operator()(rd_kafka_t* handle) const {
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }
};

PartitionListPtr make_list(std::span<const PartitionSplit* const> splits) {
  PartitionListPtr list(rd_kafka_topic_partition_list_new(static_cast<int>(splits.size())));
  for (const PartitionSplit* split : splits) {
    rd_kafka_topic_partition_list_add(list.get(), split->topic.c_str(), split->partition)->offset =
        split->next_offset;
  }
  return list;
}

void throw_error(rd_kafka_error_t* raw, std::string_view what) {
  const ErrorPtr error(raw);
  if (!error) return;
  throw Error(
      absl::StrCat("KafkaSource: ", std::string(what), ": ", rd_kafka_error_string(error.get())));
}

std::optional<std::string_view> bytes_of(const void* data, std::size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(data), size);
}

}  // namespace

KafkaSourceReader::KafkaSourceReader(KafkaSourceOptions options) : options_(std::move(options)) {}

KafkaSourceReader::~KafkaSourceReader() {
  close();
}

void KafkaSourceReader::open(SourceReaderContext& context) {
  context_ = &context;
  absl::StatusOr<ConfPtr> conf = make_conf(consumer_properties(options_));
  if (!conf.ok()) throw FatalError("KafkaSource: " + std::string(conf.status().message()));
  absl::StatusOr<HandlePtr> handle = make_handle(RD_KAFKA_CONSUMER, *std::move(conf));
  if (!handle.ok()) throw FatalError("KafkaSource: " + std::string(handle.status().message()));
  handle_ = *std::move(handle);
  queue_ = std::make_unique<ConsumerQueue>(handle_.get());
  commit_results_.reset(rd_kafka_queue_new(handle_.get()));
  wake_up_queue_ = queue_.get();
  for (const std::string& topic : options_.topics) topic_handle(topic);
}

// Makes librdkafka ask for the topic's leaders now. By itself it asks for those of a topic that it
// meets in an assignment after up to a second.
const rd_kafka_topic_t* KafkaSourceReader::topic_handle(const std::string& topic) {
  TopicPtr& handle = topics_[topic];
  if (!handle) handle.reset(rd_kafka_topic_new(handle_.get(), topic.c_str(), /*conf=*/nullptr));
  return handle.get();
}

void KafkaSourceReader::add_splits(std::span<const Split> splits) {
  std::vector<const PartitionSplit*> to_assign;
  for (const Split& split : splits) {
    absl::StatusOr<PartitionSplit> partition = from_split(split);
    if (!partition.ok()) throw FatalError(std::string(partition.status().message()));
    partitions_.push_back(std::make_unique<Partition>());
    Partition& added = *partitions_.back();
    added.split = *std::move(partition);
    added.topic_handle = topic_handle(added.split.topic);
    added.done = added.split.finished();
    if (added.done) {
      ended_splits_.push_back(split.id);
    } else {
      to_assign.push_back(&added.split);
    }
  }
  if (to_assign.empty()) return;
  throw_error(rd_kafka_incremental_assign(handle_.get(), make_list(to_assign).get()),
              "partitions can't be assigned");
}

PollStatus KafkaSourceReader::poll(std::chrono::milliseconds wait) {
  records_.clear();
  if (no_more_splits_ && all_done()) return PollStatus::kEndOfInput;
  const absl::StatusOr<std::span<rd_kafka_message_t* const>> batch = queue_->next_batch(wait);
  if (!batch.ok()) throw Error("KafkaSource: " + std::string(batch.status().message()));
  for (const rd_kafka_message_t* message : *batch) {
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) [[likely]] {
      take(*message);
    } else {
      take_error(*message);
    }
  }
  if (some_finished_) unassign_finished();
  take_commit_results();
  if (std::chrono::steady_clock::now() >= next_gauges_) show_gauges();
  WEIR_FAULT_POINT("source.polled");
  return !batch->empty() ? PollStatus::kMoreAvailable : PollStatus::kIdle;
}

std::vector<RecordsOfSplit> KafkaSourceReader::records_by_split() const {
  std::vector<RecordsOfSplit> result;
  const std::span<const KafkaRecord> records = records_;
  for (std::size_t first = 0, end = 0; first < records.size(); first = end) {
    const KafkaRecord& of = records[first];
    do {
      ++end;
    } while (end < records.size() && records[end].partition == of.partition &&
             records[end].topic == of.topic);
    result.push_back({split_id(of.topic, of.partition), records.subspan(first, end - first)});
  }
  return result;
}

KafkaSourceReader::Partition& KafkaSourceReader::partition_of(const rd_kafka_message_t& message) {
  const auto matches = [&](const Partition& partition) {
    return partition.topic_handle == message.rkt && partition.split.partition == message.partition;
  };
  if (last_partition_ != nullptr && matches(*last_partition_)) return *last_partition_;
  for (const std::unique_ptr<Partition>& partition : partitions_) {
    if (matches(*partition)) return *(last_partition_ = partition.get());
  }
  throw Error(absl::StrCat("KafkaSource: a record came from ", rd_kafka_topic_name(message.rkt),
                           "-", message.partition, ", which isn't assigned here"));
}

void KafkaSourceReader::take(const rd_kafka_message_t& message) {
  Partition& partition = partition_of(message);
  PartitionSplit& split = partition.split;
  if (split.stop_offset != kUnbounded && message.offset >= split.stop_offset) {
    split.next_offset = split.stop_offset;
    some_finished_ = true;
    return;
  }
  rd_kafka_timestamp_type_t timestamp_type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &timestamp_type);
  KafkaRecord& record = records_.emplace_back();
  record.topic = split.topic;
  record.partition = split.partition;
  record.offset = message.offset;
  if (timestamp_type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) record.timestamp = timestamp;
  record.key = bytes_of(message.key, message.key_len);
  record.value = bytes_of(message.payload, message.len);
  record.message = &message;
  counts_.bytes += message.key_len + message.len;
  ++counts_.records;
  split.next_offset = message.offset + 1;
  if (split.finished()) some_finished_ = true;
}

void KafkaSourceReader::take_error(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    // Beyond the last record there may be control records, which a stop offset counts as well.
    Partition& partition = partition_of(message);
    partition.split.next_offset = std::max(partition.split.next_offset, message.offset);
    if (partition.split.finished()) {
      partition.split.next_offset = partition.split.stop_offset;
      some_finished_ = true;
    }
    return;
  }
  const std::string place = message.rkt == nullptr ? "a broker"
                                                   : absl::StrCat(rd_kafka_topic_name(message.rkt),
                                                                  "-", message.partition);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      throw FatalError(absl::StrCat(
          "KafkaSource: ", place, " has no offset ", partition_of(message).split.next_offset,
          " any more: its records were deleted (retention.ms, retention.bytes) or the topic was "
          "made anew; start the job afresh with other starting offsets"));
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      throw FatalError(
          absl::StrCat("KafkaSource: ", place, " can't be read: ", error_text(message.err)));
    default:
      throw Error(absl::StrCat("KafkaSource: ", place, ": ", error_text(message.err)));
  }
}

void KafkaSourceReader::unassign_finished() {
  some_finished_ = false;
  std::vector<const PartitionSplit*> finished;
  for (const std::unique_ptr<Partition>& partition : partitions_) {
    if (partition->done || !partition->split.finished()) continue;
    partition->done = true;
    finished.push_back(&partition->split);
    ended_splits_.push_back(split_id(partition->split.topic, partition->split.partition));
  }
  if (finished.empty()) return;
  throw_error(rd_kafka_incremental_unassign(handle_.get(), make_list(finished).get()),
              "finished partitions can't be unassigned");
}

bool KafkaSourceReader::all_done() const {
  return std::all_of(partitions_.begin(), partitions_.end(),
                     [](const auto& partition) { return partition->done; });
}

std::vector<Split> KafkaSourceReader::snapshot(std::int64_t checkpoint_id) {
  std::vector<Split> splits;
  Positions positions;
  for (const std::unique_ptr<Partition>& partition : partitions_) {
    splits.push_back(to_split(partition->split));
    positions.push_back(partition->split);
  }
  if (!options_.group_id.empty()) positions_by_checkpoint_[checkpoint_id] = std::move(positions);
  return splits;
}

void KafkaSourceReader::notify_checkpoint_complete(std::int64_t checkpoint_id) {
  const auto found = positions_by_checkpoint_.find(checkpoint_id);
  if (found != positions_by_checkpoint_.end() && !found->second.empty()) {
    std::vector<const PartitionSplit*> positions;
    for (const PartitionSplit& position : found->second) positions.push_back(&position);
    const rd_kafka_resp_err_t error =
        rd_kafka_commit_queue(handle_.get(), make_list(positions).get(), commit_results_.get(),
                              /*cb=*/nullptr, /*opaque=*/nullptr);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++commits_under_way_;
    } else {
      ++commits_failed_;
    }
  }
  positions_by_checkpoint_.erase(positions_by_checkpoint_.begin(),
                                 positions_by_checkpoint_.upper_bound(checkpoint_id));
}

void KafkaSourceReader::take_commit_results() {
  while (commits_under_way_ > 0) {
    rd_kafka_event_t* const event = rd_kafka_queue_poll(commit_results_.get(), 0);
    if (event == nullptr) return;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT) {
      --commits_under_way_;
      if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) ++commits_failed_;
    }
    rd_kafka_event_destroy(event);
  }
}

void KafkaSourceReader::show_gauges() {
  next_gauges_ = std::chrono::steady_clock::now() + kGaugeInterval;
  rd_kafka_poll(handle_.get(), 0);  // errors and logs of the connection
  std::int64_t pending = 0;
  for (const std::unique_ptr<Partition>& partition : partitions_) {
    const PartitionSplit& split = partition->split;
    std::int64_t low = 0;
    std::int64_t high = 0;
    if (partition->done ||
        rd_kafka_get_watermark_offsets(handle_.get(), split.topic.c_str(), split.partition, &low,
                                       &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0) {
      continue;
    }
    pending += std::max<std::int64_t>(0, high - split.next_offset);
  }
  context_->set_gauge("pendingRecords", pending);
  context_->set_gauge("commitsFailed", commits_failed_);
}

void KafkaSourceReader::wake_up() {
  if (ConsumerQueue* const queue = wake_up_queue_.load()) queue->wake_up();
}

void KafkaSourceReader::close() {
  if (!handle_) return;
  queue_->drop_batch();
  const auto deadline = std::chrono::steady_clock::now() + kLastCommitWait;
  while (commits_under_way_ > 0 && !context_->cancelled() &&
         std::chrono::steady_clock::now() < deadline) {
    rd_kafka_poll(handle_.get(), 5);
    take_commit_results();
  }
  wake_up_queue_ = nullptr;
  queue_.reset();
  commit_results_.reset();
  topics_.clear();
  // No group was joined, so there is none to leave.
  NoConsumerClose()(handle_.release());
}

}  // namespace weir::kafka
