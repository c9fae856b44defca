#include "connectors/kafka/sink/transactional_sink_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "connectors/kafka/sink/kafka_committable.h"
#include "connectors/kafka/sink/sink_config.h"
#include "connectors/kafka/sink/transactional_id.h"
#include "proto/kafka.pb.h"
#include "weir/error.h"

namespace weir::kafka {
namespace {

constexpr std::chrono::milliseconds kWait{
    20};  // between two looks at whether the task is cancelled
constexpr std::chrono::seconds kAttemptTimeout{2};

std::unique_ptr<protocol::TransactionAdmin> admin_or_throw(const KafkaSinkOptions& options) {
  absl::StatusOr<std::unique_ptr<protocol::TransactionAdmin>> admin =
      make_transaction_admin(options);
  if (!admin.ok()) throw FatalError("KafkaSink: " + std::string(admin.status().message()));
  return *std::move(admin);
}

}  // namespace

void TransactionalSinkWriter::open(RuntimeContext& context) {
  SinkWriterWithProducer::open(context);
  admin_ = admin_or_throw(options());
  maker_ = std::make_unique<TransactionMaker>(properties(), admin_or_throw(options()));
  advance(std::chrono::milliseconds(0));
  wait_for_ready();
}

void TransactionalSinkWriter::wait_for_ready() {
  while (!ready_) {
    throw_if_cancelled();
    advance(kWait);
  }
}

void TransactionalSinkWriter::advance(std::chrono::milliseconds wait) {
  if (std::optional<absl::StatusOr<ReadyTransaction>> made = maker_->take(wait)) {
    if (!made->ok()) throw Error("KafkaSink: " + std::string(made->status().message()));
    ReadyTransaction& transaction = **made;
    if (pool_.init_succeeded(transaction.slot, transaction.init_attempts)) {
      ready_ = std::move(transaction);
    } else {
      maker_->drop(std::move(transaction.producer));
    }
  }
  if (const std::optional<int> slot = pool_.start_preparing()) {
    maker_->make(*slot,
                 format_transactional_id({options().transactional_id_prefix, context().uid(),
                                          context().generation(), context().subtask(), *slot}),
                 topics());
    show_pool();
  }
}

bool TransactionalSinkWriter::writable() {
  if (producer_ || ready_) return true;
  advance(std::chrono::milliseconds(0));
  return ready_.has_value();
}

Producer& TransactionalSinkWriter::begin() {
  wait_for_ready();
  pool_.open();
  open_ = std::exchange(ready_, std::nullopt);
  producer_ = std::move(open_->producer);
  const absl::Status status = producer_->begin_transaction();
  if (!status.ok()) throw Error("KafkaSink: " + std::string(status.message()));
  advance(std::chrono::milliseconds(0));
  return *producer_;
}

void TransactionalSinkWriter::end_batch() {
  SinkWriterWithProducer::end_batch();
  if (!ready_) advance(std::chrono::milliseconds(0));
}

std::vector<Committable> TransactionalSinkWriter::prepare_commit(std::int64_t checkpoint_id) {
  if (!producer_ || producer_->produced() == 0) return {};
  flush(*producer_);

  std::vector<WrittenRange> ranges = producer_->ranges();
  PreparedTransaction prepared{.transactional_id = open_->transactional_id,
                               .producer_id = open_->producer_id,
                               .producer_epoch = open_->producer_epoch,
                               .topic_partitions = {}};
  std::uint64_t written = 0;
  for (const WrittenRange& range : ranges) {
    written += range.records;
    prepared.topic_partitions.push_back(*parse_partition_name(range.resource));
  }
  std::sort(prepared.topic_partitions.begin(), prepared.topic_partitions.end());
  if (written != producer_->produced()) {
    throw Error(absl::StrCat("KafkaSink: ", producer_->produced(), " records were given to ",
                             prepared.transactional_id, " and ", written, " reported as written"));
  }
  // Delivery reports don't show an abort by somebody else; found now, nothing is lost yet.
  const protocol::TransactionDescription description = describe(prepared.transactional_id);
  const CommitDecision decision = decide_by_description(prepared, description);
  if (decision.step != CommitStep::kEndTransaction) {
    throw Error(absl::StrCat("KafkaSink: transaction ", prepared.transactional_id,
                             " can't be prepared: it is ",
                             transaction_state_name(description.state), " ", decision.message));
  }

  std::vector<Committable> committables;
  committables.push_back(
      to_committable(prepared, checkpoint_id, std::move(ranges), description.start_time_ms));
  pool_.prepare();
  open_.reset();
  maker_->drop(std::move(producer_));
  advance(std::chrono::milliseconds(0));
  show_pool();
  return committables;
}

protocol::TransactionDescription TransactionalSinkWriter::describe(
    const std::string& transactional_id) {
  while (true) {
    const absl::StatusOr<protocol::TransactionDescription> description =
        admin_->describe_transaction(transactional_id,
                                     std::chrono::steady_clock::now() + kAttemptTimeout);
    if (description.ok() && !is_coordinator_moved(description->error)) return *description;
    if (!description.ok() && !absl::IsUnavailable(description.status()) &&
        !absl::IsDeadlineExceeded(description.status())) {
      throw Error("KafkaSink: " + std::string(description.status().message()));
    }
    throw_if_cancelled();
  }
}

std::string TransactionalSinkWriter::snapshot(std::int64_t /*checkpoint_id*/) {
  pb::KafkaWriterState state;
  state.set_format_version(1);
  state.set_transactional_id_prefix(options().transactional_id_prefix);
  state.set_generation(context().generation());
  state.set_subtask(context().subtask());
  state.set_slot_count(pool_.slot_count());
  return state.SerializeAsString();
}

void TransactionalSinkWriter::release(const Committable& committable) {
  const absl::StatusOr<PreparedTransaction> prepared = from_committable(committable);
  if (!prepared.ok()) throw FatalError(std::string(prepared.status().message()));
  const std::optional<TransactionalId> id = parse_transactional_id(prepared->transactional_id);
  // Restored committables are other attempts' and in no pool of this one.
  if (!id || id->generation != context().generation() || id->subtask != context().subtask()) return;
  pool_.release(id->slot);
  advance(std::chrono::milliseconds(0));
  show_pool();
}

void TransactionalSinkWriter::show_pool() {
  context().set_gauge("preparedTransactions", pool_.prepared_count());
  context().set_gauge("transactionalIds", pool_.slot_count());
}

void TransactionalSinkWriter::close() {
  ready_.reset();
  open_.reset();
  producer_.reset();
  maker_.reset();
}

}  // namespace weir::kafka
