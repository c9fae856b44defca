#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace weir::kafka {

// Where a record stands, for the examples of a report.
struct RecordPosition {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

struct TopicRecord {
  std::string_view value;
  RecordPosition position;
};

// Compares two topics as multisets of values: what the job should have written against what it
// wrote. Pure: the caller reads the records. Values are told apart by a 128-bit hash, so 24 bytes
// are kept for each different value.
//
// Call expect() for every input record, then observe() for every output record, and, to see
// examples of what is lost, find_lost() for every input record again. Each takes records in batches
// of any size.
class TopicComparison {
 public:
  struct Example {
    std::string value;
    RecordPosition position;  // in the output; of a lost record: in the input
  };

  // `map` has one "{}", replaced by the input's value.
  explicit TopicComparison(std::string_view map);

  void expect(std::span<const TopicRecord> input);
  void observe(std::span<const TopicRecord> output);
  void find_lost(std::span<const TopicRecord> input);

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
  struct Digest {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    bool operator==(const Digest&) const = default;
  };
  struct DigestHash {
    std::size_t operator()(const Digest& digest) const { return digest.low; }
  };

  static Digest digest_of(std::string_view value);
  // Of the output that an input record should have; leaves it in mapped_.
  Digest digest_of_mapped(std::string_view input_value);
  // Calls visit(record, digest) for each, having fetched the memory of several entries at a time:
  // the table is far larger than the processor's caches.
  template <typename DigestOf, typename Visit>
  void for_each(std::span<const TopicRecord> records, DigestOf digest_of, Visit visit);

  const std::string before_;
  const std::string after_;
  std::string mapped_;
  // How often each expected value is expected less observed.
  absl::flat_hash_map<Digest, std::int64_t, DigestHash> unseen_;
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
