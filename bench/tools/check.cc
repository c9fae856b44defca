// Compares what a job made of the records of `fill` with what it should have made of them.
//
//   check --brokers B --topic T --records R --kind counts --input-records N --keys K
//     "key,count": of each key 1, 2, 3 … without a gap, each once
//   check --brokers B --topic T --records R --kind sums --input-records N --keys K --size-ms S
//         --slide-ms L
//     "key,window_start_ms,sum of the numbers": each right and once
//
// Waits for R records. The output of a job that goes on is checked as far as it is visible: give 0.
// Prints {"records": …, "wrong": …, "example": "…"}.
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/tools/committed_reader.h"
#include "bench/tools/kafka_handle.h"
#include "bench/tools/records.h"

namespace weir::bench {
namespace {

// Takes "k%07lld," or "%lld," off the front; negative if it isn't there.
std::int64_t take_number(std::string_view& text, std::size_t letters) {
  const std::size_t comma = std::min(text.find(','), text.size());
  std::int64_t number = 0;
  const char* const begin = text.data() + std::min(letters, comma);
  const auto [end, error] = std::from_chars(begin, text.data() + comma, number);
  if (error != std::errc() || end != text.data() + comma) return -1;
  text.remove_prefix(std::min(comma + 1, text.size()));
  return number;
}

class Expectation {
 public:
  virtual ~Expectation() = default;
  // Whether the record is right and new.
  virtual bool take(std::string_view value) = 0;
  // Of what came, how much shows that something else is missing.
  virtual std::int64_t gaps() const = 0;
};

class Counts final : public Expectation {
 public:
  Counts(std::int64_t records, std::int64_t keys)
      : keys_(keys),
        counts_per_key_((records + keys - 1) / keys),
        seen_(static_cast<std::size_t>(keys * counts_per_key_)),
        largest_(static_cast<std::size_t>(keys)),
        number_(static_cast<std::size_t>(keys)) {}

  bool take(std::string_view value) override {
    const std::int64_t key = take_number(value, 1);
    const std::int64_t count = take_number(value, 0);
    if (key < 0 || key >= keys_ || count < 1 || count > counts_per_key_) return false;
    const auto index = static_cast<std::size_t>(key * counts_per_key_ + count - 1);
    if (seen_[index]) return false;
    seen_[index] = true;
    std::int64_t& largest = largest_[static_cast<std::size_t>(key)];
    largest = std::max(largest, count);
    ++number_[static_cast<std::size_t>(key)];
    return true;
  }
  std::int64_t gaps() const override {
    std::int64_t gaps = 0;
    for (std::size_t key = 0; key < largest_.size(); ++key) gaps += largest_[key] - number_[key];
    return gaps;
  }

 private:
  const std::int64_t keys_;
  const std::int64_t counts_per_key_;
  std::vector<bool> seen_;
  std::vector<std::int64_t> largest_;
  std::vector<std::int64_t> number_;
};

// Every second of event time has each key once.
class Sums final : public Expectation {
 public:
  Sums(std::int64_t records, std::int64_t keys, std::int64_t size_ms, std::int64_t slide_ms)
      : keys_(keys),
        seconds_(records / keys),
        size_s_(size_ms / 1000),
        slide_ms_(slide_ms),
        sums_(static_cast<std::size_t>((seconds_ + 1) * keys)),
        seen_(static_cast<std::size_t>((seconds_ + size_s_) * keys)) {
    if (records % keys != 0 || size_ms % 1000 != 0 || slide_ms % 1000 != 0) {
      fail("records must be a multiple of the keys, and windows of whole seconds");
    }
    for (std::int64_t i = 0; i < records; ++i) {
      const std::int64_t key = key_of(i, keys);
      sums_[at(i / keys + 1, key)] = sums_[at(i / keys, key)] + i;
    }
  }

  bool take(std::string_view value) override {
    const std::int64_t key = take_number(value, 1);
    const std::int64_t start_ms = take_number(value, 0);
    const std::int64_t sum = take_number(value, 0);
    const std::int64_t start_s = (start_ms - kFirstEventTimeMs) / 1000;
    if (key < 0 || key >= keys_ || start_ms % slide_ms_ != 0 || start_s <= -size_s_ ||
        start_s >= seconds_) {
      return false;
    }
    if (sum != sums_[at(std::min(start_s + size_s_, seconds_), key)] -
                   sums_[at(std::max<std::int64_t>(start_s, 0), key)]) {
      return false;
    }
    const std::size_t index = at(start_s + size_s_ - 1, key);
    if (seen_[index]) return false;
    return seen_[index] = true;
  }
  std::int64_t gaps() const override { return 0; }

 private:
  std::size_t at(std::int64_t second, std::int64_t key) const {
    return static_cast<std::size_t>(second * keys_ + key);
  }

  const std::int64_t keys_;
  const std::int64_t seconds_;
  const std::int64_t size_s_;
  const std::int64_t slide_ms_;
  std::vector<std::int64_t> sums_;  // of all seconds before, by second and key
  std::vector<bool> seen_;          // by window and key
};

std::unique_ptr<Expectation> make_expectation(const CommandLine& args) {
  const std::string kind = args.get("kind");
  const std::int64_t records = std::stoll(args.get("input-records"));
  const std::int64_t keys = std::stoll(args.get("keys"));
  if (kind == "counts") return std::make_unique<Counts>(records, keys);
  if (kind != "sums") fail("--kind " + kind + " isn't counts or sums");
  return std::make_unique<Sums>(records, keys, std::stoll(args.get("size-ms")),
                                std::stoll(args.get("slide-ms")));
}

int run(const CommandLine& args) {
  const std::unique_ptr<Expectation> expectation = make_expectation(args);
  std::int64_t records = 0;
  std::int64_t wrong = 0;
  std::string example;
  read_committed(args, [&](std::string_view value, std::int64_t) {
    ++records;
    if (expectation->take(value)) return;
    if (wrong++ == 0) example = value;
  });
  std::printf("{\"records\": %lld, \"wrong\": %lld, \"example\": \"%s\"}\n",
              static_cast<long long>(records), static_cast<long long>(wrong + expectation->gaps()),
              example.c_str());
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  return weir::bench::run(weir::bench::CommandLine(argc, argv));
}
