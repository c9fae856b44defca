#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace weir::rpc {

// The codes of the two are the same numbers; the message is kept.
absl::Status to_absl(const grpc::Status& status);
grpc::Status to_grpc(const absl::Status& status);

}  // namespace weir::rpc
