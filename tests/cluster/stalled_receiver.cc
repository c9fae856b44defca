#include "tests/cluster/stalled_receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <string>
#include <thread>

#include "tests/cluster/keyed_jobs.h"
#include "tests/cluster/resource_series.h"

namespace weir::cluster_test {

using ::testing::IsEmpty;

namespace {

const char kProducer[] = "taskmanager-1";
const char kReceiver[] = "taskmanager-2";
constexpr int kRecords = 150'000;
constexpr int kRecordBytes = 1000;
constexpr double kGrowthMaxMib = 10;  // of the 150 MB that there are to read
constexpr int kSamples = 10;
constexpr std::chrono::seconds kInputTimeout{60};
constexpr std::chrono::seconds kLonger{10};  // the stall than the samples

// Without transactions, which wouldn't outlive a long stall, and without a checkpoint in it; with
// little memory for what was fetched from Kafka, so that it's full from the beginning.
DrillOptions options_with(std::chrono::milliseconds stall) {
  DrillOptions options = keyed_count_drill("hashmap");
  options.cluster.slots = 1;
  options.cluster.environment[kReceiver] = {
      {"WEIR_FAULT", "sink.record_produced=delay:" + std::to_string(stall.count()) + "@1000"}};
  options.job_arguments.insert(options.job_arguments.end(),
                               {"--guarantee", "at-least-once", "--fetch-memory", "4mb"});
  options.checkpoint_interval = "1h";
  options.records = kRecords;
  options.records_per_second = 100'000;
  options.input_arguments = {"--kind", "keyed",   "--keys",
                             "10000",  "--bytes", std::to_string(kRecordBytes)};
  return options;
}

}  // namespace

void run_stalled_receiver(std::chrono::milliseconds stall) {
  KafkaFixture& kafka = KafkaFixture::shared();
  ProcessedDrill drill(kafka, options_with(stall + kLonger));
  MiniCluster& cluster = drill.cluster();
  drill.start_input();
  drill.wait_for_input(kInputTimeout);
  drill.submit({});
  cluster.wait_until("the receiver to stall",
                     [&] { return !cluster.faults_hit(kReceiver).empty(); });
  ResourceSeries series({{"producer MiB", kGrowthMaxMib}, {"receiver MiB", kGrowthMaxMib}});
  for (int i = 0; i < kSamples; ++i) {
    std::this_thread::sleep_for(stall / kSamples);
    series.add(i, {process_usage(cluster.pid(kProducer)).memory_mib,
                   process_usage(cluster.pid(kReceiver)).memory_mib});
  }
  EXPECT_LT(kafka.read_uncommitted(drill.output_topic()).size(), kRecords / 2U);
  std::cout << series.table();
  EXPECT_THAT(series.grown(), IsEmpty());
  drill.expect_exact();
}

}  // namespace weir::cluster_test
