#include "taskmanager/network/network_environment.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "taskmanager/network/gate_channels.h"
#include "taskmanager/network/partition_registry.h"

namespace weir {
namespace {

// A partition's buffers, as Flink counts them: one is being filled for each channel and one is on
// its way, at least.
int least_buffers(int channels) {
  return channels + 1;
}
int most_buffers(int channels) {
  return 2 * channels + 8;
}

}  // namespace

class NetworkEnvironment::Parts final : public ChannelSource {
 public:
  explicit Parts(Options options)
      : address_(std::move(options.address)), pool_(options.memory_bytes) {}

  const std::string& address() const { return address_; }
  BufferPool& pool() { return pool_; }
  PartitionRegistry& registry() { return registry_; }

  bool is_local(const InputChannel& channel) const override { return channel.address == address_; }

  void open(const InputChannel& channel, int index,
            const std::shared_ptr<GateChannels>& gate) override {
    const absl::Status status =
        is_local(channel) ? open_local(channel, index, gate)
                          : absl::UnavailableError(absl::StrCat(
                                "no TaskManager at ", channel.address, ", only at ", address_));
    if (!status.ok()) gate->on_failed(index, status);
  }

  void close(const std::shared_ptr<GateChannels>&) override {}

 private:
  absl::Status open_local(const InputChannel& channel, int index,
                          const std::shared_ptr<GateChannels>& gate) {
    WEIR_ASSIGN_OR_RETURN(const auto partition, registry_.find(channel.partition, channel.channel));
    gate->set_queue(index, partition->shared_queue(channel.channel));
    return partition->queue(channel.channel).attach(gate, index);
  }

  const std::string address_;
  BufferPool pool_;
  PartitionRegistry registry_;
};

absl::StatusOr<std::unique_ptr<NetworkEnvironment>> NetworkEnvironment::start(Options options) {
  return std::unique_ptr<NetworkEnvironment>(
      new NetworkEnvironment(std::make_unique<Parts>(std::move(options))));
}

NetworkEnvironment::NetworkEnvironment(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

NetworkEnvironment::~NetworkEnvironment() = default;

absl::StatusOr<std::unique_ptr<ResultPartition>> NetworkEnvironment::create_partition(
    ResultPartition::Options options) {
  WEIR_ASSIGN_OR_RETURN(auto quota,
                        parts_->pool().reserve(options.name, least_buffers(options.channels),
                                               most_buffers(options.channels)));
  auto channels = std::make_shared<PartitionChannels>(options.id, options.name, options.channels,
                                                      std::move(quota), options.on_available,
                                                      options.on_failure);
  channels->quota().set_listener(channels);
  WEIR_RETURN_IF_ERROR(parts_->registry().add(channels));
  return std::make_unique<ResultPartition>(std::move(options), std::move(channels),
                                           parts_->registry());
}

absl::StatusOr<std::unique_ptr<InputGate>> NetworkEnvironment::create_gate(
    InputGate::Options options) {
  return std::make_unique<InputGate>(std::move(options), *parts_);
}

const std::string& NetworkEnvironment::address() const {
  return parts_->address();
}

const BufferPool& NetworkEnvironment::pool() const {
  return parts_->pool();
}

}  // namespace weir
