#include "connectors/kafka/verify/topic_comparison.h"

#include <xxhash.h>

#include <algorithm>
#include <array>

namespace weir::kafka {

namespace {

constexpr std::size_t kExamplesMax = 5;
constexpr std::size_t kWindow = 32;

void add_example(std::vector<TopicComparison::Example>& examples, std::string_view value,
                 RecordPosition position) {
  if (examples.size() < kExamplesMax) examples.push_back({std::string(value), position});
}

}  // namespace

TopicComparison::TopicComparison(std::string_view map)
    : before_(map.substr(0, map.find("{}"))),
      after_(map.find("{}") == map.npos ? "" : map.substr(map.find("{}") + 2)) {}

TopicComparison::Digest TopicComparison::digest_of(std::string_view value) {
  const XXH128_hash_t hash = XXH3_128bits(value.data(), value.size());
  return {hash.high64, hash.low64};
}

TopicComparison::Digest TopicComparison::digest_of_mapped(std::string_view input_value) {
  mapped_.assign(before_).append(input_value).append(after_);
  return digest_of(mapped_);
}

template <typename DigestOf, typename Visit>
void TopicComparison::for_each(std::span<const TopicRecord> records, DigestOf digest_of,
                               Visit visit) {
  std::array<Digest, kWindow> digests;
  while (!records.empty()) {
    const std::span<const TopicRecord> window = records.first(std::min(kWindow, records.size()));
    for (std::size_t i = 0; i < window.size(); ++i) {
      digests[i] = digest_of(window[i].value);
      unseen_.prefetch(digests[i]);
    }
    for (std::size_t i = 0; i < window.size(); ++i) visit(window[i], digests[i]);
    records = records.subspan(window.size());
  }
}

void TopicComparison::expect(std::span<const TopicRecord> input) {
  for_each(
      input, [&](std::string_view value) { return digest_of_mapped(value); },
      [&](const TopicRecord&, const Digest& digest) { ++unseen_[digest]; });
  expected_ += input.size();
}

void TopicComparison::observe(std::span<const TopicRecord> output) {
  for_each(output, digest_of, [&](const TopicRecord& record, const Digest& digest) {
    const auto found = unseen_.find(digest);
    if (found == unseen_.end()) {
      ++strange_;
      add_example(strange_examples_, record.value, record.position);
    } else if (found->second == 0) {
      ++repeated_;
      add_example(repeated_examples_, record.value, record.position);
    } else {
      --found->second;
      ++matched_;
    }
  });
  observed_ += output.size();
}

void TopicComparison::find_lost(std::span<const TopicRecord> input) {
  for (const TopicRecord& record : input) {
    const auto found = unseen_.find(digest_of_mapped(record.value));
    if (found == unseen_.end() || found->second == 0) continue;
    --found->second;
    add_example(lost_examples_, mapped_, record.position);
  }
}

}  // namespace weir::kafka
