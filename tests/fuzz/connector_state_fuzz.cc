// What connectors keep in checkpoints, altered: committables, splits, writers' states.
// Input: which, the bytes.
#include "common/check.h"
#include "connectors/kafka/sink/kafka_committable.h"
#include "connectors/kafka/sink/transactional_id.h"
#include "connectors/kafka/source/partition_split.h"
#include "google/protobuf/stubs/logging.h"
#include "tests/fuzz/fuzz_input.h"
#include "weir/two_phase_commit_sink.h"

namespace weir {
namespace {

struct Transaction {
  std::string name;
  std::vector<std::pair<std::string, std::int64_t>> files;
};
WEIR_FIELDS(Transaction, name, files)

void read_committable(std::string_view bytes) {
  Committable committable;
  committable.payload = bytes;
  committable.ranges.push_back({"lines-0", 0, 1, 2});
  const auto prepared = kafka::from_committable(committable);
  if (!prepared.ok()) return;
  const Committable again = kafka::to_committable(*prepared, 1, committable.ranges, 0);
  const auto same = kafka::from_committable(again);
  WEIR_CHECK(same.ok() && same->transactional_id == prepared->transactional_id &&
             same->producer_id == prepared->producer_id &&
             same->producer_epoch == prepared->producer_epoch);
}

void read_split(std::string_view bytes) {
  const auto split = kafka::from_split({"s", std::string(bytes)});
  if (!split.ok()) return;
  const auto same = kafka::from_split(kafka::to_split(*split));
  WEIR_CHECK(same.ok() && *same == *split);
}

void read_source_state(std::string_view bytes) {
  const auto splits = kafka::decode_source_state(bytes);
  if (!splits.ok()) return;
  const auto same = kafka::decode_source_state(kafka::encode_source_state(*splits, true));
  WEIR_CHECK(same.ok() && *same == *splits);
}

void read_transactional_id(std::string_view bytes) {
  const auto id = kafka::parse_transactional_id(bytes);
  if (id) WEIR_CHECK(kafka::parse_transactional_id(kafka::format_transactional_id(*id)) == id);
}

void read_transaction(std::string_view bytes) {
  try {
    const auto transaction = internal::decode_transaction<Transaction>(bytes);
    WEIR_CHECK(internal::encode_transaction(transaction) == bytes);
  } catch (const Error&) {
  }
}

}  // namespace
}  // namespace weir

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const google::protobuf::LogSilencer silence;
  weir::fuzz::FuzzInput input(data, size);
  const int kind = input.byte() % 6;
  const std::string_view bytes = input.rest();
  if (kind == 0) weir::read_committable(bytes);
  if (kind == 1) weir::read_split(bytes);
  if (kind == 2) weir::read_source_state(bytes);
  if (kind == 3) weir::read_transactional_id(bytes);
  if (kind == 4) weir::read_transaction(bytes);
  if (kind == 5) weir::kafka::parse_partition_name(std::string(bytes)).IgnoreError();
  return 0;
}
