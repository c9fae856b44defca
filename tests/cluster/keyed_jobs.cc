#include "tests/cluster/keyed_jobs.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

namespace weir::cluster_test {
namespace {

// Of a jittered record, before the time that its number gives it; also the job's bound.
constexpr int kJitterMs = 3000;
constexpr int kKeys = 100;
// Of the records by which bench-fill lets event time pass all windows. These windows never end.
constexpr std::int64_t kClosingTimeMs = 1'900'000'000'000;
constexpr std::int64_t kLateValue = 1'000'000'000'000;

// "key,eventtime_ms,value".
struct Event {
  std::string key;
  std::int64_t time_ms = 0;
  std::int64_t value = 0;
};

Event parse(const std::string& line) {
  const std::size_t first = line.find(',');
  const std::size_t second = line.find(',', first + 1);
  return {line.substr(0, first), std::stoll(line.substr(first + 1)),
          std::stoll(line.substr(second + 1))};
}

std::string line_of(const Event& event) {
  return event.key + "," + std::to_string(event.time_ms) + "," + std::to_string(event.value);
}

Lines keyed_counts(const Lines& input) {
  std::map<std::string, int> counts;
  Lines output;
  for (const std::string& line : input) {
    const std::string key = line.substr(0, line.find(','));
    output.push_back(key + "," + std::to_string(++counts[key]));
  }
  return output;
}

Lines window_sums(const Lines& input, Windows windows) {
  std::map<std::pair<std::string, std::int64_t>, std::int64_t> sums;  // by key and window's start
  for (const std::string& line : input) {
    const Event event = parse(line);
    if (event.time_ms >= kClosingTimeMs || event.value == kLateValue) continue;
    std::int64_t start = event.time_ms - event.time_ms % windows.slide_ms;
    for (; start > event.time_ms - windows.size_ms; start -= windows.slide_ms) {
      sums[{event.key, start}] += event.value;
    }
  }
  Lines output;
  for (const auto& [window, sum] : sums)
    output.push_back(line_of({window.first, window.second, sum}));
  return output;
}

DrillOptions keyed_drill(const std::string& backend, const std::string& library) {
  DrillOptions options;
  options.library = library;
  options.job_arguments = {"--state-backend", backend};
  options.cluster.config["execution.checkpointing.incremental"] = "true";
  options.cluster.slots = 2;
  options.input_arguments = {"--kind", "events", "--keys", std::to_string(kKeys)};
  return options;
}

}  // namespace

DrillOptions keyed_count_drill(const std::string& backend) {
  DrillOptions options = keyed_drill(backend, "examples/keyed_count");
  options.expected_output = keyed_counts;
  return options;
}

DrillOptions window_sum_drill(const std::string& backend, Windows windows) {
  DrillOptions options = keyed_drill(backend, "examples/window_sum");
  options.job_arguments.insert(options.job_arguments.end(),
                               {"--size", std::to_string(windows.size_ms) + "ms", "--slide",
                                std::to_string(windows.slide_ms) + "ms", "--out-of-orderness",
                                std::to_string(kJitterMs) + "ms"});
  options.input_arguments.insert(options.input_arguments.end(),
                                 {"--jitter-ms", std::to_string(kJitterMs)});
  options.expected_output = [windows](const Lines& input) { return window_sums(input, windows); };
  return options;
}

void write_late_records(ProcessedDrill& drill, KafkaFixture& kafka) {
  std::map<std::string, std::int64_t> first_windows;  // by key
  drill.cluster().wait_until("the first windows of all keys", [&] {
    for (const std::string& line : kafka.read_committed(drill.output_topic())) {
      const Event sum = parse(line);
      first_windows.try_emplace(sum.key, sum.time_ms);
    }
    return first_windows.size() == kKeys;
  });
  Lines late;
  for (const auto& [key, start_ms] : first_windows) {
    late.push_back(line_of({key, start_ms, kLateValue}));
  }
  kafka.produce(drill.input_topic(), late);
}

Lines checkpoint_files(MiniCluster& cluster) {
  Lines files;
  using Iterator = std::filesystem::recursive_directory_iterator;
  for (const auto& entry : Iterator(cluster.checkpoints_folder())) {
    const bool ledger = entry.path().filename().string().starts_with("ledger");
    if (entry.is_regular_file() && !ledger) files.push_back(entry.path());
  }
  return files;
}

}  // namespace weir::cluster_test
