#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/numeric/int128.h"

namespace weir::kafka {

// Where a record stands, for the examples of a report.
struct RecordPosition {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

// Compares two topics as multisets of values: what the job should have written against what it
// wrote. Pure: the caller reads the records. Values are told apart by a 128-bit hash, so 16 bytes and
// two counts are kept for each different value.
//
// Call expect() for every input record, then observe() for every output record, and, to see examples
// of what is lost, is_missing() for every input record again.
class TopicComparison {
 public:
  struct Example {
    std::string value;
    RecordPosition position;  // in the output; of a lost record: in the input
  };

  // `map` has one "{}", replaced by the input's value.
  explicit TopicComparison(std::string_view map);

  void expect(std::string_view input_value);
  void observe(std::string_view output_value, RecordPosition position);
  // True if the output of this input record is missing; for `n` equal inputs of which m are missing,
  // true m times.
  bool is_missing(std::string_view input_value, RecordPosition position);

  std::uint64_t expected() const { return expected_; }
  std::uint64_t observed() const { return observed_; }
  std::uint64_t lost() const { return expected_ - matched_; }
  std::uint64_t repeated() const { return repeated_; }
  std::uint64_t strange() const { return strange_; }  // in the output, from no input
  bool exact() const { return lost() == 0 && repeated_ == 0 && strange_ == 0; }

  const std::vector<Example>& lost_examples() const { return lost_examples_; }
  const std::vector<Example>& repeated_examples() const { return repeated_examples_; }
  const std::vector<Example>& strange_examples() const { return strange_examples_; }

 private:
  struct Count {
    std::int64_t unseen = 0;  // expected less observed
    bool expected = false;
  };

  absl::uint128 hash_of_mapped(std::string_view input_value);

  const std::string before_;
  const std::string after_;
  std::string mapped_;
  absl::flat_hash_map<absl::uint128, Count> counts_;
  std::uint64_t expected_ = 0;
  std::uint64_t observed_ = 0;
  std::uint64_t matched_ = 0;
  std::uint64_t repeated_ = 0;
  std::uint64_t strange_ = 0;
  std::vector<Example> lost_examples_;
  std::vector<Example> repeated_examples_;
  std::vector<Example> strange_examples_;
};

}  // namespace weir::kafka
