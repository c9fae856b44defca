#include "weir/window_operator.h"

#include <string>

#include "weir/error.h"

namespace weir::internal {

void refuse_timestamp(Timestamp timestamp) {
  if (timestamp == kNoTimestamp) {
    throw FatalError(
        "a record has no timestamp, which a window needs: give the source a WatermarkStrategy "
        "with_timestamp_assigner()");
  }
  throw FatalError("a record's timestamp " + std::to_string(timestamp) +
                   " isn't milliseconds since the epoch");
}

}  // namespace weir::internal
