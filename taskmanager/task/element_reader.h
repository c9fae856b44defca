#pragma once

#include <optional>

#include "taskmanager/network/take_element.h"
#include "weir/codec.h"

namespace weir {

// Nothing if it isn't a record.
inline std::optional<ElementView> record_of(Element element) {
  if (element.kind == ElementKind::kRecord) return ElementView{kNoTimestamp, element.payload};
  if (element.kind != ElementKind::kTimedRecord) return std::nullopt;
  const Timestamp timestamp = Codec<Timestamp>::decode(element.payload);
  return ElementView{timestamp, element.payload};
}

}  // namespace weir
