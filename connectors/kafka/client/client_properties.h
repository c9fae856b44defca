#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"

namespace weir::kafka {

using Properties = std::map<std::string, std::string>;

enum class ClientRole { kConsumer, kProducer };

// Whether a job may set these properties of librdkafka. Only listed ones are allowed, because
// others load code, run commands or undo what the connector decides. The message names the
// property, and what to do instead or the nearest one; it never repeats a value.
absl::Status check_properties(ClientRole role, const Properties& properties);

}  // namespace weir::kafka
