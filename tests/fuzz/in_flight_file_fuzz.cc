// A file of records in flight that was altered: its streams are taken out and their elements fed,
// or it is refused. Input: 1 = the bytes are pieces behind a header, the bytes.
#include <array>
#include <vector>

#include "common/check.h"
#include "taskmanager/task/element_reader.h"
#include "taskmanager/task/in_flight_file.h"
#include "tests/fuzz/fuzz_input.h"
#include "weir/error.h"
#include "weir/typed_edge.h"

namespace weir {
namespace {

constexpr int kStreams = 4;  // that are asked for; a file may have others

class Discard final : public Output<std::string> {
 public:
  void collect(std::string_view, Timestamp) override {}
};

// As a task that was restored does, but all at once.
void feed(std::string_view elements) {
  std::vector<ElementView> records;
  try {
    while (!elements.empty()) {
      if (const auto record = record_of(take_element(elements))) records.push_back(*record);
    }
    Discard output;
    internal::TypedReceiver<std::string>(output).receive(records);
  } catch (const Error&) {
  }
}

void read(std::string_view file) {
  std::array<std::string, kStreams> streams;
  std::size_t bytes = 0;
  InFlightFile again;
  for (int stream = 0; stream < kStreams; ++stream) {
    if (!append_stream(file, stream, streams[stream]).ok()) return;
    bytes += streams[stream].size();
    again.add(stream, streams[stream]);
  }
  WEIR_CHECK(bytes <= file.size());
  for (int stream = 0; stream < kStreams; ++stream) {
    std::string same;
    WEIR_CHECK(append_stream(again.bytes(), stream, same).ok() && same == streams[stream]);
    feed(streams[stream]);
  }
}

}  // namespace
}  // namespace weir

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::fuzz::FuzzInput input(data, size);
  const bool behind_header = input.byte() % 2 == 1;
  const std::string header = behind_header ? weir::InFlightFile().bytes() : "";
  weir::read(header + std::string(input.rest()));
  return 0;
}
