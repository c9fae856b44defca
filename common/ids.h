#pragma once

// Strong types for the numbers that name things. Only the standard library is used here: job
// libraries include this file.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

// An integer that can't be mixed up with another one. `Tag` has `using Rep` (the integer) and
// `static constexpr Rep kFirst` (what a default-constructed id holds).
template <typename Tag>
class StrongInt {
 public:
  using Rep = typename Tag::Rep;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  constexpr StrongInt next() const { return StrongInt(static_cast<Rep>(value_ + 1)); }
  constexpr StrongInt& operator++() {
    ++value_;
    return *this;
  }

  friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
  friend std::string to_string(StrongInt id) { return std::to_string(id.value_); }
  friend std::ostream& operator<<(std::ostream& out, StrongInt id) { return out << id.value_; }
  template <typename H>
  friend H AbslHashValue(H state, StrongInt id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  Rep value_ = Tag::kFirst;
};

struct CheckpointIdTag {
  using Rep = int64_t;
  static constexpr Rep kFirst = 1;
};
struct AttemptTag {
  using Rep = int32_t;
  static constexpr Rep kFirst = 0;
};
struct GenerationTag {
  using Rep = uint64_t;
  static constexpr Rep kFirst = 0;
};
struct LeaderEpochTag {
  using Rep = uint64_t;
  static constexpr Rep kFirst = 0;
};
struct SubtaskIndexTag {
  using Rep = int32_t;
  static constexpr Rep kFirst = 0;
};

using CheckpointId = StrongInt<CheckpointIdTag>;  // 1, 2, … within a job
using Attempt = StrongInt<AttemptTag>;            // 0, 1, … execution attempts of a job
using Generation = StrongInt<GenerationTag>;      // stands in a sink's transactional ids
using LeaderEpoch = StrongInt<LeaderEpochTag>;    // raised durably at every JobManager start
using SubtaskIndex = StrongInt<SubtaskIndexTag>;  // 0 … parallelism - 1

// 128 bits, shown as 32 lower-case hex digits.
class JobId {
 public:
  constexpr JobId() = default;  // all zero: no job
  constexpr JobId(uint64_t high, uint64_t low) : high_(high), low_(low) {}

  template <typename RandomEngine>
  static JobId random(RandomEngine& engine) {
    std::uniform_int_distribution<uint64_t> any;
    const uint64_t high = any(engine);
    return JobId(high, any(engine));
  }

  // Empty unless `text` is exactly 32 hex digits.
  static constexpr std::optional<JobId> parse(std::string_view text) {
    if (text.size() != 32) return std::nullopt;
    uint64_t halves[2] = {0, 0};
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      int digit = 0;
      if (c >= '0' && c <= '9') {
        digit = c - '0';
      } else if (c >= 'a' && c <= 'f') {
        digit = c - 'a' + 10;
      } else if (c >= 'A' && c <= 'F') {
        digit = c - 'A' + 10;
      } else {
        return std::nullopt;
      }
      halves[i / 16] = (halves[i / 16] << 4) | static_cast<uint64_t>(digit);
    }
    return JobId(halves[0], halves[1]);
  }

  constexpr uint64_t high() const { return high_; }
  constexpr uint64_t low() const { return low_; }

  friend constexpr auto operator<=>(const JobId&, const JobId&) = default;
  friend std::string to_string(const JobId& id) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text(32, '0');
    for (size_t i = 0; i < 16; ++i) {
      text[15 - i] = kDigits[(id.high_ >> (4 * i)) & 0xf];
      text[31 - i] = kDigits[(id.low_ >> (4 * i)) & 0xf];
    }
    return text;
  }
  friend std::ostream& operator<<(std::ostream& out, const JobId& id) {
    return out << to_string(id);
  }
  template <typename H>
  friend H AbslHashValue(H state, const JobId& id) {
    return H::combine(std::move(state), id.high_, id.low_);
  }

 private:
  uint64_t high_ = 0;
  uint64_t low_ = 0;
};

}  // namespace weir

template <typename Tag>
struct std::hash<weir::StrongInt<Tag>> {
  size_t operator()(weir::StrongInt<Tag> id) const noexcept {
    return std::hash<typename Tag::Rep>()(id.value());
  }
};

template <>
struct std::hash<weir::JobId> {
  size_t operator()(const weir::JobId& id) const noexcept {
    return static_cast<size_t>(id.high() ^ (id.low() * 0x9e3779b97f4a7c15ULL));
  }
};
