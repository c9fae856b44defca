#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "connectors/kafka/client/client_properties.h"
#include "connectors/kafka/protocol/transaction_admin.h"
#include "weir/context.h"
#include "weir/kafka/sink.h"

namespace weir::kafka {

// What librdkafka is given for a sink, without transactional.id.
Properties producer_properties(const KafkaSinkOptions& options);

absl::StatusOr<std::unique_ptr<protocol::TransactionAdmin>> make_transaction_admin(
    const KafkaSinkOptions& options);

// Whether a transaction lives long enough: at most the broker's maximum, and at least for the time
// that the job's own settings let pass between its first record and its commit. InvalidArgument
// with the figures.
absl::Status check_transaction_timeout(std::chrono::milliseconds transaction_timeout,
                                       std::chrono::milliseconds broker_max,
                                       const CheckpointSettings& settings);

}  // namespace weir::kafka
