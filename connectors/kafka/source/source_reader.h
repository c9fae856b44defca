#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "connectors/kafka/client/consumer_queue.h"
#include "connectors/kafka/client/rdkafka_handle.h"
#include "connectors/kafka/source/partition_split.h"
#include "weir/kafka/source.h"

namespace weir::kafka {

// Reads the partitions of one subtask through one queue of librdkafka. Records are views into its
// messages, which are kept until the next poll. Offsets come from the splits alone: one that the
// broker doesn't have any more is an error, never a silent reset.
class KafkaSourceReader final : public SourceReaderCore {
 public:
  explicit KafkaSourceReader(KafkaSourceOptions options);
  ~KafkaSourceReader() override;

  void open(SourceReaderContext& context) override;
  void add_splits(std::span<const Split> splits) override;
  void no_more_splits() override { no_more_splits_ = true; }
  PollStatus poll(std::chrono::milliseconds wait) override;
  std::span<const KafkaRecord> records() const override { return records_; }
  std::vector<RecordsOfSplit> records_by_split() const override;
  std::vector<std::string> take_ended_splits() override { return std::exchange(ended_splits_, {}); }
  std::vector<Split> snapshot(std::int64_t checkpoint_id) override;
  void notify_checkpoint_complete(std::int64_t checkpoint_id) override;
  IoCounts io_counts() const override { return counts_; }
  void wake_up() override;
  void close() override;

 private:
  struct Partition {
    PartitionSplit split;
    const rd_kafka_topic_t* topic_handle = nullptr;
    bool done = false;  // unassigned, or never assigned
  };
  using Positions = std::vector<PartitionSplit>;

  const rd_kafka_topic_t* topic_handle(const std::string& topic);
  void take(const rd_kafka_message_t& message);
  void take_error(const rd_kafka_message_t& message);
  Partition& partition_of(const rd_kafka_message_t& message);
  void unassign_finished();
  void take_commit_results();
  void show_gauges();
  bool all_done() const;

  const KafkaSourceOptions options_;
  SourceReaderContext* context_ = nullptr;
  HandlePtr handle_;
  std::unique_ptr<ConsumerQueue> queue_;
  QueuePtr commit_results_;
  std::map<std::string, TopicPtr> topics_;
  std::atomic<ConsumerQueue*> wake_up_queue_{nullptr};

  std::vector<std::unique_ptr<Partition>> partitions_;
  Partition* last_partition_ = nullptr;
  bool no_more_splits_ = false;
  bool some_finished_ = false;

  std::vector<KafkaRecord> records_;
  std::vector<std::string> ended_splits_;

  std::map<std::int64_t, Positions> positions_by_checkpoint_;
  int commits_under_way_ = 0;
  std::int64_t commits_failed_ = 0;
  IoCounts counts_;
  std::chrono::steady_clock::time_point next_gauges_;
};

}  // namespace weir::kafka
