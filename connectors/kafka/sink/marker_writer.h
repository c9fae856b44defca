#pragma once

#include "absl/status/status.h"
#include "connectors/kafka/protocol/transaction_admin.h"
#include "connectors/kafka/sink/missing_markers.h"

namespace weir::kafka {

// Looks whether readers see the end of a decided transaction, and writes the markers that Kafka has
// left out. OK: nobody waits for it any more. Unavailable: not yet; ask again. PermissionDenied: a
// marker is missing and the user may not write it; the message says what to do.
absl::Status ensure_markers(protocol::TransactionAdmin& admin,
                            const DecidedTransaction& transaction, protocol::Deadline deadline);

}  // namespace weir::kafka
