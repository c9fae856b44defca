#include "weir/key_group_watermarks.h"

#include <algorithm>
#include <cstdint>

#include "weir/codec.h"

namespace weir {
namespace {

struct Item {
  std::uint8_t version = 1;
  std::int32_t first = 0;  // key groups, both included
  std::int32_t last = 0;
  Timestamp watermark = 0;
};
WEIR_FIELDS(Item, version, first, last, watermark)

}  // namespace

void KeyGroupWatermarks::restore(std::span<const std::string> items, KeyGroupRange range) {
  range_ = range;
  watermarks_.assign(static_cast<std::size_t>(range.size()), kNone);
  for (const std::string& bytes : items) {
    const Item item = decode<Item>(bytes);
    if (item.version != 1) {
      throw Error("the watermarks of a snapshot have the unknown version " +
                  std::to_string(item.version));
    }
    const KeyGroupRange common = intersection({item.first, item.last}, range);
    for (int group = common.first; group <= common.last; ++group) {
      Timestamp& watermark = watermarks_[static_cast<std::size_t>(group - range.first)];
      watermark = std::max(watermark, item.watermark);
      max_ = std::max(max_, watermark);
    }
  }
}

std::vector<std::string> KeyGroupWatermarks::snapshot(KeyGroupRange range,
                                                      Timestamp watermark) const {
  std::vector<std::string> items;
  for (int first = range.first; first <= range.last;) {
    const Timestamp of_first = std::max(watermark, of(first));
    int last = first;
    while (last < range.last && std::max(watermark, of(last + 1)) == of_first) ++last;
    if (of_first != kNone) items.push_back(encode(Item{1, first, last, of_first}));
    first = last + 1;
  }
  return items;
}

}  // namespace weir
