// What the connector costs beside a bare loop of librdkafka: reads a topic to its end and writes it
// to another, exactly-once, one commit a second.
//
//   kafka-throughput fill BOOTSTRAP TOPIC RECORDS        records of 100 bytes
//   kafka-throughput raw|weir BOOTSTRAP IN OUT RECORDS
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "connectors/kafka/client/rdkafka_handle.h"
#include "connectors/kafka/sink/sink_config.h"
#include "connectors/kafka/source/source_config.h"
#include "connectors/kafka/testing/fake_context.h"
#include "weir/kafka.h"

namespace weir::kafka {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kCommitInterval{1000};

void expect(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}
void expect_ok(rd_kafka_error_t* raw) {
  const ErrorPtr error(raw);
  if (error) throw std::runtime_error(rd_kafka_error_string(error.get()));
}

KafkaSourceOptions source_options(const std::string& bootstrap, const std::string& topic) {
  KafkaSourceOptions options;
  options.bootstrap_servers = bootstrap;
  options.topics = {topic};
  options.bounded = OffsetsInitializer::latest();
  return options;
}

KafkaSinkOptions sink_options(const std::string& bootstrap, const std::string& topic) {
  KafkaSinkOptions options;
  options.bootstrap_servers = bootstrap;
  options.topic = topic;
  options.delivery_guarantee = DeliveryGuarantee::kExactlyOnce;
  options.transactional_id_prefix = "throughput-" + std::to_string(getpid());
  return options;
}

void report(const char* name, std::uint64_t records, Clock::time_point begin) {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double cpu_seconds =
      static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
      static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  const auto count = static_cast<double>(records);
  std::printf("%-5s %10.0f records/s  %.3f CPU s/M  %ld MiB\n", name, count / seconds,
              cpu_seconds / count * 1e6, usage.ru_maxrss / 1024);
}

void run_fill(const std::string& bootstrap, const std::string& topic, std::uint64_t records) {
  KafkaSinkOptions options = sink_options(bootstrap, topic);
  options.delivery_guarantee = DeliveryGuarantee::kAtLeastOnce;
  const std::unique_ptr<SinkWriterCore> writer = create_sink_writer(options);
  FakeContext<> context;
  writer->open(context);
  std::string value(100, 'x');
  for (std::uint64_t i = 0; i < records; ++i) {
    const std::string number = std::to_string(i);
    value.replace(0, number.size(), number);
    KafkaProducerRecord record;
    record.topic = topic;
    record.value = value;
    writer->write(record);
    if (i % 4096 == 0) writer->end_batch();
  }
  writer->prepare_commit(1);
}

std::uint64_t failed_deliveries = 0;

void run_raw(const std::string& bootstrap, const std::string& in, const std::string& out,
             std::uint64_t records) {
  const HandlePtr consumer = *make_handle(
      RD_KAFKA_CONSUMER, *make_conf(consumer_properties(source_options(bootstrap, in))));
  Properties properties = producer_properties(sink_options(bootstrap, out));
  properties["transactional.id"] = "raw-" + std::to_string(getpid());
  ConfPtr conf = *make_conf(properties);
  rd_kafka_conf_set_dr_msg_cb(
      conf.get(), [](rd_kafka_t* /*handle*/, const rd_kafka_message_t* message, void* /*opaque*/) {
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++failed_deliveries;
      });
  const HandlePtr producer = *make_handle(RD_KAFKA_PRODUCER, std::move(conf));
  const TopicPtr topic(rd_kafka_topic_new(producer.get(), out.c_str(), nullptr));

  const rd_kafka_metadata_t* metadata = nullptr;
  const TopicPtr in_topic(rd_kafka_topic_new(consumer.get(), in.c_str(), nullptr));
  expect(rd_kafka_metadata(consumer.get(), 0, in_topic.get(), &metadata, 10000) ==
             RD_KAFKA_RESP_ERR_NO_ERROR,
         "metadata");
  const PartitionListPtr partitions(rd_kafka_topic_partition_list_new(16));
  for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) {
    rd_kafka_topic_partition_list_add(partitions.get(), in.c_str(), i)->offset = 0;
  }
  rd_kafka_metadata_destroy(metadata);
  expect(rd_kafka_assign(consumer.get(), partitions.get()) == RD_KAFKA_RESP_ERR_NO_ERROR, "assign");
  const QueuePtr queue(rd_kafka_queue_get_consumer(consumer.get()));
  expect_ok(rd_kafka_init_transactions(producer.get(), 30000));
  expect_ok(rd_kafka_begin_transaction(producer.get()));

  std::vector<rd_kafka_message_t*> messages(4096);
  std::uint64_t done = 0;
  const auto begin = Clock::now();
  auto next_commit = begin + kCommitInterval;
  while (done < records) {
    ssize_t count = rd_kafka_consume_batch_queue(queue.get(), 0, messages.data(), messages.size());
    if (count == 0) count = rd_kafka_consume_batch_queue(queue.get(), 100, messages.data(), 1);
    for (ssize_t i = 0; i < count; ++i) {
      rd_kafka_message_t* const message = messages[static_cast<std::size_t>(i)];
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        while (rd_kafka_produce(topic.get(), RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                                message->payload, message->len, nullptr, 0, nullptr) != 0) {
          rd_kafka_poll(producer.get(), 10);
        }
        ++done;
      }
      rd_kafka_message_destroy(message);
    }
    rd_kafka_poll(producer.get(), 0);
    if (Clock::now() >= next_commit || done >= records) {
      expect_ok(rd_kafka_commit_transaction(producer.get(), 60000));
      if (done < records) expect_ok(rd_kafka_begin_transaction(producer.get()));
      next_commit = Clock::now() + kCommitInterval;
    }
  }
  report("raw", done, begin);
  expect(failed_deliveries == 0, "deliveries failed");
}

void run_weir(const std::string& bootstrap, const std::string& in, const std::string& out,
              std::uint64_t records) {
  const auto source = KafkaSource<std::string>::builder()
                          .set_bootstrap_servers(bootstrap)
                          .set_topics(in)
                          .set_bounded(OffsetsInitializer::latest())
                          .build();
  const KafkaSinkOptions options = sink_options(bootstrap, out);
  const auto sink = KafkaSink<std::string>::builder()
                        .set_bootstrap_servers(bootstrap)
                        .set_topic(out)
                        .set_delivery_guarantee(DeliveryGuarantee::kExactlyOnce)
                        .set_transactional_id_prefix(options.transactional_id_prefix)
                        .build();
  FakeContext<> context;
  const auto writer = sink.create_writer();
  writer->open(context);
  const auto committer = sink.create_committer();
  committer->open(context);
  FakeCoordinatorContext coordinator_context;
  const auto coordinator = source.create_coordinator();
  coordinator->open(coordinator_context);
  coordinator->restore(coordinator->resolve(), {});
  coordinator->start();
  FakeReaderContext reader_context;
  const auto reader = source.create_reader();
  reader->set_output(*writer);
  reader->open(reader_context);
  reader->add_splits(coordinator_context.assigned_[0]);
  reader->no_more_splits();

  const auto begin = Clock::now();
  auto next_commit = begin + kCommitInterval;
  std::int64_t checkpoint = 0;
  milliseconds barrier_max{0};
  std::deque<Committable> committed;
  bool ended = false;
  while (!ended) {
    if (writer->writable()) {
      ended = reader->poll(milliseconds(100)) == PollStatus::kEndOfInput;
      writer->end_batch();
    }
    const auto now = Clock::now();
    if (now < next_commit && !ended) continue;
    for (Committable& committable : writer->prepare_commit(++checkpoint)) {
      barrier_max =
          std::max(barrier_max, std::chrono::duration_cast<milliseconds>(Clock::now() - now));
      expect(committer->commit(committable).status == CommitStatus::kCommitted, "commit");
      committed.push_back(std::move(committable));
    }
    if (committed.size() > 1) {
      writer->release(committed.front());
      committed.pop_front();
    }
    next_commit = Clock::now() + kCommitInterval;
  }
  report("weir", reader->io_counts().records, begin);
  std::printf("longest barrier %ld ms\n", static_cast<long>(barrier_max.count()));
  expect(reader->io_counts().records == records, "another number of records");
}

int run(const std::vector<std::string>& args) {
  if (args.size() == 4 && args[0] == "fill") {
    run_fill(args[1], args[2], std::stoull(args[3]));
  } else if (args.size() == 5 && args[0] == "raw") {
    run_raw(args[1], args[2], args[3], std::stoull(args[4]));
  } else if (args.size() == 5 && args[0] == "weir") {
    run_weir(args[1], args[2], args[3], std::stoull(args[4]));
  } else {
    std::fprintf(stderr,
                 "kafka-throughput fill BOOTSTRAP TOPIC RECORDS\n"
                 "kafka-throughput raw|weir BOOTSTRAP IN OUT RECORDS\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace weir::kafka

int main(int argc, char** argv) {
  try {
    return weir::kafka::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kafka-throughput: %s\n", error.what());
    return 1;
  }
}
