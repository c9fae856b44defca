#include "connectors/kafka/verify/topic_comparison.h"

#include <xxhash.h>

namespace weir::kafka {

namespace {

constexpr std::size_t kExamplesMax = 5;

absl::uint128 hash_of(std::string_view value) {
  const XXH128_hash_t hash = XXH3_128bits(value.data(), value.size());
  return absl::MakeUint128(hash.high64, hash.low64);
}

void add_example(std::vector<TopicComparison::Example>& examples, std::string_view value,
                 RecordPosition position) {
  if (examples.size() < kExamplesMax) examples.push_back({std::string(value), position});
}

}  // namespace

TopicComparison::TopicComparison(std::string_view map)
    : before_(map.substr(0, map.find("{}"))),
      after_(map.find("{}") == map.npos ? "" : map.substr(map.find("{}") + 2)) {}

absl::uint128 TopicComparison::hash_of_mapped(std::string_view input_value) {
  mapped_.assign(before_).append(input_value).append(after_);
  return hash_of(mapped_);
}

void TopicComparison::expect(std::string_view input_value) {
  Count& count = counts_[hash_of_mapped(input_value)];
  ++count.unseen;
  count.expected = true;
  ++expected_;
}

void TopicComparison::observe(std::string_view output_value, RecordPosition position) {
  ++observed_;
  Count& count = counts_[hash_of(output_value)];
  if (count.unseen > 0) {
    --count.unseen;
    ++matched_;
  } else if (count.expected) {
    ++repeated_;
    add_example(repeated_examples_, output_value, position);
  } else {
    ++strange_;
    add_example(strange_examples_, output_value, position);
  }
}

bool TopicComparison::is_missing(std::string_view input_value, RecordPosition position) {
  Count& count = counts_[hash_of_mapped(input_value)];
  if (count.unseen == 0) return false;
  --count.unseen;
  add_example(lost_examples_, mapped_, position);
  return true;
}

}  // namespace weir::kafka
