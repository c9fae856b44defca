// Buffers of a channel that hold anything: elements put together, taken apart, their values
// decoded. Input: the records' type, bytes of a buffer, which buffers' last element goes on (bits),
// the bytes.
#include <array>
#include <map>
#include <optional>
#include <tuple>

#include "common/check.h"
#include "taskmanager/network/buffer_pool.h"
#include "taskmanager/network/element_assembler.h"
#include "taskmanager/network/take_element.h"
#include "tests/fuzz/fuzz_input.h"
#include "weir/error.h"
#include "weir/typed_edge.h"

namespace weir {
namespace {

struct Everything {
  std::string text;
  std::vector<std::int32_t> numbers;
  std::optional<std::pair<bool, double>> maybe;
  std::map<std::string, std::vector<std::string>> names;
  std::array<std::uint16_t, 3> three;
  std::tuple<std::int8_t, std::vector<bool>> both;
};
WEIR_FIELDS(Everything, text, numbers, maybe, names, three, both)

// What was decoded is the same after another time through its bytes.
template <typename T>
class ReencodingOutput final : public Output<T> {
 public:
  void collect(ViewOf<T> value, Timestamp /*timestamp*/) override {
    const std::string bytes = encode<T>(T(value));
    WEIR_CHECK(encode(decode<T>(bytes)) == bytes);
  }
};

Buffer buffer_of(std::string_view bytes, bool continued) {
  static BufferPool pool(8 * kBufferBytes);
  static const std::unique_ptr<BufferQuota> quota = *pool.reserve("fuzzer", 4, 4);
  Buffer buffer = quota->try_take();
  std::copy(bytes.begin(), bytes.end(), buffer.memory());
  buffer.set_size(bytes.size());
  buffer.set_continued(continued);
  return buffer;
}

// As a task does, without event time.
void receive(std::string_view elements, RecordReceiver& receiver) {
  std::vector<ElementView> records;
  while (!elements.empty()) {
    Element element = take_element(elements);
    switch (element.kind) {
      case ElementKind::kRecord:
        records.push_back({kNoTimestamp, element.payload});
        break;
      case ElementKind::kTimedRecord: {
        const auto timestamp = Codec<Timestamp>::decode(element.payload);
        records.push_back({timestamp, element.payload});
        break;
      }
      case ElementKind::kWatermark:
        decode<Timestamp>(element.payload);
        break;
      case ElementKind::kStatus:
        decode<bool>(element.payload);
        break;
      default:
        throw Error("no element");
    }
  }
  receiver.receive(records);
}

template <typename T>
void receive_as(fuzz::FuzzInput input) {
  const std::size_t buffer_bytes = input.byte() + std::size_t{1};
  const std::uint8_t continued = input.byte();
  ReencodingOutput<T> output;
  internal::TypedReceiver<T> receiver(output);
  ElementAssembler assembler;
  for (int i = 0; !input.empty(); ++i) {
    const Buffer buffer = buffer_of(input.take(buffer_bytes), continued >> (i % 8) & 1);
    receive(assembler.add(buffer), receiver);
  }
}

void receive_any(fuzz::FuzzInput input) {
  switch (input.byte() % 4) {
    case 0:
      return receive_as<std::string>(input);
    case 1:
      return receive_as<std::int64_t>(input);
    case 2:
      return receive_as<Everything>(input);
    default:
      return receive_as<std::vector<Everything>>(input);
  }
}

}  // namespace
}  // namespace weir

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    weir::receive_any(weir::fuzz::FuzzInput(data, size));
  } catch (const weir::Error&) {
  }
  return 0;
}
