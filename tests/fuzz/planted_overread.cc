// A reader that believes a length that it was sent. The fuzzer must find it; see run.
#include <algorithm>
#include <memory>

#include "tests/fuzz/fuzz_input.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::fuzz::FuzzInput input(data, size);
  if (input.take(4) != "WEIR") return 0;
  const std::size_t length = input.byte();
  const std::string_view rest = input.rest();
  const auto body = std::make_unique<char[]>(rest.size());
  std::copy(rest.begin(), rest.end(), body.get());
  volatile char last = length > 0 ? body[length - 1] : '\0';
  (void)last;
  return 0;
}
