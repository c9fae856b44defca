#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/kafka/client/client_properties.h"
#include "connectors/kafka/sink/producer.h"
#include "weir/kafka/sink.h"

namespace weir::kafka {

// Writes records by one producer at a time, and sees every delivery report. What can't be written
// is an exception, at the record, the batch's end or the barrier. Confined to its task's thread.
class SinkWriterWithProducer : public SinkWriterCore {
 public:
  explicit SinkWriterWithProducer(KafkaSinkOptions options);

  void open(RuntimeContext& context) override;
  void write(const KafkaProducerRecord& record) final;
  void end_batch() override;
  std::int32_t partition_count(std::string_view topic) final;
  IoCounts io_counts() const final { return counts_; }

 protected:
  // The producer for the next record.
  virtual Producer& begin() = 0;

  // Waits until every record of `producer` is written.
  void flush(Producer& producer);
  void throw_if_cancelled() const;

  const KafkaSinkOptions& options() const { return options_; }
  RuntimeContext& context() const { return *context_; }
  const Properties& properties() const { return properties_; }
  // Written to so far, or set.
  const std::vector<std::string>& topics() const { return topics_; }

  std::unique_ptr<Producer> producer_;  // nullptr: the next record begins one

 private:
  void write_slowly(Producer& producer, const KafkaProducerRecord& record);

  const KafkaSinkOptions options_;
  RuntimeContext* context_ = nullptr;
  Properties properties_;
  std::vector<std::string> topics_;
  std::vector<std::pair<std::string, std::int32_t>> partition_counts_;
  IoCounts counts_;
};

// kNone and kAtLeastOnce: one producer for the writer's life, flushed at barriers for the latter.
class PlainSinkWriter final : public SinkWriterWithProducer {
 public:
  using SinkWriterWithProducer::SinkWriterWithProducer;
  void open(RuntimeContext& context) override;
  std::vector<Committable> prepare_commit(std::int64_t checkpoint_id) override;
  void close() override;

 private:
  Producer& begin() override { return *producer_; }
};

}  // namespace weir::kafka
