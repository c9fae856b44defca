#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace weir::internal {

// From 32 bits of a hash, the tag, to slots: 8 bytes per bucket, open addressing, linear probing.
// While it is large it is made of many parts, by the tag's upper bits, that grow each by itself: so
// no insert takes longer than the growth of one part, which is some 0.1 ms at 10,000,000 slots.
class SlotIndex {
 public:
  // Counts its own memory in `memory_bytes`, which outlives it.
  explicit SlotIndex(std::size_t& memory_bytes) : memory_bytes_(memory_bytes) {
    memory_bytes_ += bytes_of(parts_[0]);
  }
  SlotIndex(const SlotIndex&) = delete;
  SlotIndex& operator=(const SlotIndex&) = delete;
  ~SlotIndex() {
    for (const Part& part : parts_) memory_bytes_ -= bytes_of(part);
  }

  // Of the slots of that tag the first pointer entry_if(slot) that isn't null; or null.
  template <typename F>
  auto find(std::uint32_t tag, F entry_if) const -> decltype(entry_if(tag)) {
    const Part& part = parts_[part_of(tag)];
    for (std::size_t i = tag & part.mask;; i = (i + 1) & part.mask) {
      const Bucket bucket = part.buckets[i];
      if (bucket.slot_plus_1 == 0) return nullptr;
      if (bucket.tag != tag) continue;
      if (auto* const entry = entry_if(bucket.slot_plus_1 - 1)) return entry;
    }
  }
  void prefetch(std::uint32_t tag) const {
    const Part& part = parts_[part_of(tag)];
    __builtin_prefetch(&part.buckets[tag & part.mask]);
  }

  void insert(std::uint32_t tag, std::uint32_t slot) {
    if (parts_.size() == 1 && parts_[0].used == kMostOfOnePart) divide();
    Part& part = parts_[part_of(tag)];
    if ((std::size_t{part.used} + 1) * 8 > part.size() * 5) grow(part);
    put(part, {tag, slot + 1});
  }

  // Moves up what probing would no longer find (Knuth 6.4, algorithm R). REQUIRES: it is there.
  void erase(std::uint32_t tag, std::uint32_t slot) {
    Part& part = parts_[part_of(tag)];
    Bucket* const buckets = part.buckets.get();
    const std::size_t mask = part.mask;
    std::size_t hole = tag & mask;
    while (buckets[hole].slot_plus_1 != slot + 1) hole = (hole + 1) & mask;
    for (std::size_t i = (hole + 1) & mask; buckets[i].slot_plus_1 != 0; i = (i + 1) & mask) {
      const std::size_t wanted = buckets[i].tag & mask;
      if (((i - wanted) & mask) < ((i - hole) & mask)) continue;
      buckets[hole] = buckets[i];
      hole = i;
    }
    buckets[hole] = Bucket();
    --part.used;
  }

 private:
  struct Bucket {
    std::uint32_t tag = 0;
    std::uint32_t slot_plus_1 = 0;
  };
  struct Part {  // 16 bytes, so that all stay near
    std::unique_ptr<Bucket[]> buckets = std::make_unique<Bucket[]>(1);  // one is free, always
    std::uint32_t mask = 0;
    std::uint32_t used = 0;

    std::size_t size() const { return std::size_t{mask} + 1; }
  };
  static constexpr int kPartBits = 9;
  static constexpr std::size_t kMostOfOnePart = 20'000;

  static std::size_t bytes_of(const Part& part) { return part.size() * sizeof(Bucket); }

  std::size_t part_of(std::uint32_t tag) const {
    return static_cast<std::size_t>((std::uint64_t{tag} << part_bits_) >> 32);
  }

  static void put(Part& part, Bucket bucket) {
    std::size_t i = bucket.tag & part.mask;
    while (part.buckets[i].slot_plus_1 != 0) i = (i + 1) & part.mask;
    part.buckets[i] = bucket;
    ++part.used;
  }

  void grow(Part& part) {
    Part larger;
    larger.mask = static_cast<std::uint32_t>(std::max<std::size_t>(16, 2 * part.size()) - 1);
    larger.buckets = std::make_unique<Bucket[]>(larger.size());
    memory_bytes_ += bytes_of(larger) - bytes_of(part);
    for (const Bucket& bucket : std::span(part.buckets.get(), part.size())) {
      if (bucket.slot_plus_1 != 0) put(larger, bucket);
    }
    part = std::move(larger);
  }

  void divide() {
    const Part whole = std::move(parts_[0]);
    part_bits_ = kPartBits;
    parts_ = std::vector<Part>(std::size_t{1} << kPartBits);
    memory_bytes_ += parts_.size() * sizeof(Bucket) - bytes_of(whole);
    for (const Bucket& bucket : std::span(whole.buckets.get(), whole.size())) {
      if (bucket.slot_plus_1 != 0) insert(bucket.tag, bucket.slot_plus_1 - 1);
    }
  }

  std::size_t& memory_bytes_;
  int part_bits_ = 0;
  std::vector<Part> parts_ = std::vector<Part>(1);
};

}  // namespace weir::internal
