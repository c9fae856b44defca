#include "cli/verify_command.h"

#include <fmt/core.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "connectors/kafka/verify/topic_comparison.h"
#include "connectors/kafka/verify/topic_reader.h"

namespace weir::cli {

namespace {

using kafka::TopicComparison;

constexpr std::uint64_t kProgressRecords = 1'000'000;

// Shows every record to `visit`, and on a terminal how far it is.
absl::Status read_with_progress(const VerifyOptions& options, const std::string& topic,
                                const kafka::BatchVisitor& visit) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  std::uint64_t records = 0;
  std::uint64_t shown = 0;
  WEIR_RETURN_IF_ERROR(kafka::read_topic(options.properties, topic, [&](const auto batch) {
    visit(batch);
    records += batch.size();
    if (!terminal || records - shown < kProgressRecords) return;
    shown = records;
    fmt::print(stderr, "\r{}: {} records", topic, records);
  }));
  if (shown > 0) fmt::print(stderr, "\n");
  return absl::OkStatus();
}

void print_examples(const char* what, const std::string& topic,
                    const std::vector<TopicComparison::Example>& examples) {
  for (const auto& example : examples) {
    fmt::print("  {}: \"{}\" ({}-{} offset {})\n", what, example.value.substr(0, 200), topic,
               example.position.partition, example.position.offset);
  }
}

absl::Status compare_counts(const VerifyOptions& options) {
  std::uint64_t input = 0;
  std::uint64_t output = 0;
  WEIR_RETURN_IF_ERROR(read_with_progress(options, options.input_topic,
                                          [&](const auto batch) { input += batch.size(); }));
  WEIR_RETURN_IF_ERROR(read_with_progress(options, options.output_topic,
                                          [&](const auto batch) { output += batch.size(); }));
  if (options.json) {
    fmt::print("{}\n", nlohmann::json{{"input", input}, {"output", output}}.dump());
  } else {
    fmt::print(
        "{} holds {} records, {} holds {}. Only the counts are compared: give --map "
        "'processed_{{}}' "
        "to compare the values.\n",
        options.input_topic, input, options.output_topic, output);
  }
  if (input == output) return absl::OkStatus();
  return absl::DataLossError("the counts differ");
}

}  // namespace

absl::Status verify_topics(const VerifyOptions& options) {
  if (options.map.empty()) return compare_counts(options);
  if (!absl::StrContains(options.map, "{}")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--map '", options.map, "' has no {}, which stands for the input's value"));
  }

  TopicComparison comparison(options.map);
  WEIR_RETURN_IF_ERROR(read_with_progress(options, options.input_topic,
                                          [&](const auto batch) { comparison.expect(batch); }));
  WEIR_RETURN_IF_ERROR(read_with_progress(options, options.output_topic,
                                          [&](const auto batch) { comparison.observe(batch); }));
  if (comparison.lost() > 0) {
    WEIR_RETURN_IF_ERROR(read_with_progress(
        options, options.input_topic, [&](const auto batch) { comparison.find_lost(batch); }));
  }

  if (options.json) {
    fmt::print("{}\n", nlohmann::json{{"input", comparison.expected()},
                                      {"output", comparison.observed()},
                                      {"lost", comparison.lost()},
                                      {"repeated", comparison.repeated()},
                                      {"strange", comparison.strange()}}
                           .dump());
  } else {
    fmt::print("{}: {} records, {}: {} records. lost {}, repeated {}, strange {}\n",
               options.input_topic, comparison.expected(), options.output_topic,
               comparison.observed(), comparison.lost(), comparison.repeated(),
               comparison.strange());
    print_examples("lost", options.input_topic, comparison.lost_examples());
    print_examples("repeated", options.output_topic, comparison.repeated_examples());
    print_examples("strange", options.output_topic, comparison.strange_examples());
  }
  if (comparison.exact()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(options.output_topic, " doesn't hold every record exactly once"));
}

}  // namespace weir::cli
