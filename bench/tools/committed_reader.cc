#include "bench/tools/committed_reader.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace weir::bench {
namespace {

using Clock = std::chrono::steady_clock;

rd_kafka_queue_t* read_from_beginning(rd_kafka_t* reader, const std::string& topic,
                                      int partitions) {
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; ++i) {
    rd_kafka_topic_partition_list_add(list, topic.c_str(), i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_poll_set_consumer(reader);
  check(rd_kafka_assign(reader, list), "assign");
  rd_kafka_topic_partition_list_destroy(list);
  return rd_kafka_queue_get_consumer(reader);
}

}  // namespace

rd_kafka_t* create_committed_reader(const CommandLine& args) {
  return create_handle(RD_KAFKA_CONSUMER, {{"bootstrap.servers", args.get("brokers")},
                                           {"group.id", "meter"},
                                           {"isolation.level", "read_committed"},
                                           {"enable.auto.commit", "false"},
                                           {"fetch.wait.max.ms", "10"},
                                           {"enable.partition.eof", "true"}});
}

void read_committed(const CommandLine& args,
                    const std::function<void(std::string_view value, std::int64_t now_ms)>& visit) {
  const std::int64_t records = std::stoll(args.get("records"));
  const auto patience = std::chrono::seconds(args.get_int("timeout-s", 60));
  const std::string topic = args.get("topic");
  rd_kafka_t* reader = create_committed_reader(args);
  const int partitions = partition_count(reader, topic);
  rd_kafka_queue_t* queue = read_from_beginning(reader, topic, partitions);
  std::vector<bool> at_end(static_cast<std::size_t>(partitions), false);
  std::vector<rd_kafka_message_t*> batch(4096);
  auto give_up = Clock::now() + patience;
  std::int64_t seen = 0;
  while (seen < records || std::count(at_end.begin(), at_end.end(), true) < partitions) {
    // With a wait librdkafka returns only when the batch is full or the wait is over.
    ssize_t count = rd_kafka_consume_batch_queue(queue, 100, batch.data(), 1);
    const std::int64_t now_ms = wall_clock_ms();
    if (count > 0) {
      give_up = Clock::now() + patience;
      count += rd_kafka_consume_batch_queue(queue, 0, batch.data() + 1, batch.size() - 1);
    }
    if (Clock::now() > give_up) fail("only " + std::to_string(seen) + " records became visible");
    for (ssize_t i = 0; i < count; ++i) {
      const rd_kafka_message_t& message = *batch[static_cast<std::size_t>(i)];
      if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        visit({static_cast<const char*>(message.payload), message.len}, now_ms);
        ++seen;
      }
      if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR ||
          message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        at_end[static_cast<std::size_t>(message.partition)] =
            message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
      }
      rd_kafka_message_destroy(batch[static_cast<std::size_t>(i)]);
    }
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(reader);
  rd_kafka_destroy(reader);
}

}  // namespace weir::bench
