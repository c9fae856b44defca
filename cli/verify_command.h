#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"

namespace weir::cli {

struct VerifyOptions {
  std::map<std::string, std::string> properties;  // librdkafka's names
  std::string input_topic;
  std::string output_topic;
  std::string map;  // "processed_{}"; "" compares only the counts
  bool json = false;
};

// Reads both topics as read_committed and compares them as multisets of values. Not OK unless every
// input record's output is there exactly once.
absl::Status verify_topics(const VerifyOptions& options);

}  // namespace weir::cli
