#pragma once

#include <vector>

#include "absl/status/status.h"
#include "connectors/kafka/protocol/transaction_admin.h"
#include "connectors/kafka/sink/missing_markers.h"

namespace weir::kafka {

// Looks whether readers of the partitions see the end of the decided transactions, and writes the
// markers that Kafka has left out. OK: nobody waits for them any more. Unavailable: not known, ask
// again. PermissionDenied: a marker is missing and the user may not write it; the message says what
// to do.
absl::Status ensure_markers(protocol::TransactionAdmin& admin,
                            const std::vector<DecidedTransaction>& transactions,
                            const std::vector<protocol::TopicPartition>& partitions,
                            protocol::Deadline deadline);

}  // namespace weir::kafka
