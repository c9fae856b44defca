// Answers of something that should be a Kafka broker.
// Input: which answer, the bytes.
#include "connectors/kafka/protocol/messages.h"
#include "tests/fuzz/fuzz_input.h"

namespace weir::kafka::protocol {
namespace {

template <typename Response>
void read(std::string_view bytes) {
  Reader in(bytes);
  Response::decode(in);
  in.finish().IgnoreError();
}

constexpr void (*kReaders[])(std::string_view) = {
    &read<ApiVersionsResponse>,      &read<MetadataResponse>,
    &read<FindCoordinatorResponse>,  &read<InitProducerIdResponse>,
    &read<EndTxnResponse>,           &read<DescribeTransactionsResponse>,
    &read<ListTransactionsResponse>, &read<DescribeProducersResponse>,
    &read<WriteTxnMarkersResponse>,  &read<DescribeConfigsResponse>,
    &read<SaslHandshakeResponse>,    &read<SaslAuthenticateResponse>,
};

}  // namespace
}  // namespace weir::kafka::protocol

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::fuzz::FuzzInput input(data, size);
  const auto& readers = weir::kafka::protocol::kReaders;
  readers[input.byte() % std::size(readers)](input.rest());
  return 0;
}
