#include "weir/kafka/sink.h"

#include <memory>

#include "connectors/kafka/sink/sink_coordinator.h"
#include "connectors/kafka/sink/sink_writer.h"
#include "connectors/kafka/sink/transaction_committer.h"
#include "connectors/kafka/sink/transactional_sink_writer.h"

namespace weir::kafka {

std::unique_ptr<SinkWriterCore> create_sink_writer(const KafkaSinkOptions& options) {
  if (options.delivery_guarantee == DeliveryGuarantee::kExactlyOnce) {
    return std::make_unique<TransactionalSinkWriter>(options);
  }
  return std::make_unique<PlainSinkWriter>(options);
}

std::unique_ptr<Committer> create_committer(const KafkaSinkOptions& options) {
  if (options.delivery_guarantee != DeliveryGuarantee::kExactlyOnce) return nullptr;
  return std::make_unique<TransactionCommitter>(options);
}

std::unique_ptr<SinkCoordinator> create_sink_coordinator(const KafkaSinkOptions& options) {
  return std::make_unique<KafkaSinkCoordinator>(options);
}

}  // namespace weir::kafka
