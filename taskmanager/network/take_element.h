#pragma once

#include <string_view>

#include "weir/error.h"
#include "weir/exchange.h"

namespace weir {

struct Element {
  ElementKind kind = ElementKind::kRecord;  // perhaps one that this version doesn't know
  std::string_view payload;
};

// Takes the first element off `bytes`, what an ElementAssembler made. Throws Error when it isn't
// whole.
inline Element take_element(std::string_view& bytes) {
  if (bytes.size() >= kElementHeaderBytes) {
    const ElementHeader header = read_element_header(bytes.data());
    if (bytes.size() - kElementHeaderBytes >= header.payload_bytes) {
      const Element element{header.kind, bytes.substr(kElementHeaderBytes, header.payload_bytes)};
      bytes.remove_prefix(kElementHeaderBytes + header.payload_bytes);
      return element;
    }
  }
  throw Error("received bytes that aren't elements: the other TaskManager is of another version");
}

}  // namespace weir
