#include "weir/typed_edge.h"

namespace weir::internal {
namespace {

std::string element_of(ElementKind kind, std::string_view payload) {
  std::string element(kElementHeaderBytes, '\0');
  write_element_header({kind, static_cast<std::uint32_t>(payload.size())}, element.data());
  return element.append(payload);
}

}  // namespace

std::string watermark_element(Timestamp watermark) {
  return element_of(ElementKind::kWatermark, encode(watermark));
}

std::string status_element(bool idle) {
  return element_of(ElementKind::kStatus, encode(idle));
}

void refuse_element_of(std::size_t payload_bytes) {
  throw Error("a record of " + std::to_string(payload_bytes) +
              " bytes can't cross between tasks: " + std::to_string(kElementPayloadBytesMax) +
              " are the most");
}

void refuse_bytes_left(std::size_t bytes) {
  throw Error("a received record has " + std::to_string(bytes) +
              " bytes more than its type: the tasks were built from different job libraries");
}

}  // namespace weir::internal
