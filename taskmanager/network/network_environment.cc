#include "taskmanager/network/network_environment.h"

#include <algorithm>
#include <utility>

#include "common/config_options.h"
#include "common/status.h"
#include "taskmanager/network/connections.h"
#include "taskmanager/network/gate_channels.h"
#include "taskmanager/network/partition_registry.h"
#include "taskmanager/network/remote_channels.h"

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

// Each outlives what stands below it.
struct NetworkEnvironment::Parts {
  explicit Parts(const Options& options)
      : pool(options.memory_bytes), connections(registry, options.silence_timeout) {}

  BufferPool pool;
  PartitionRegistry registry;
  Connections connections;
};

namespace {

// The channels of one gate: those within this TaskManager from its registry, the others by TCP.
class GateSource final : public ChannelSource {
 public:
  // `remote` is null if there are none.
  GateSource(const PartitionRegistry& registry, Connections& connections,
             std::shared_ptr<RemoteChannels> remote)
      : registry_(registry), connections_(connections), remote_(std::move(remote)) {}

  bool is_local(const InputChannel& channel) const override {
    return channel.address == connections_.address();
  }

  void open(const InputChannel& channel, int index,
            const std::shared_ptr<GateChannels>& gate) override {
    if (is_local(channel)) {
      const absl::Status opened = open_local(channel, index, gate);
      if (!opened.ok()) gate->on_failed(index, opened);
      return;
    }
    auto queue = std::make_shared<ChannelQueue>();
    gate->set_queue(index, queue);
    WEIR_CHECK_OK(queue->attach(gate, index));
    connections_.open(channel, next_remote_++, remote_, std::move(queue));
  }

  void close() override {
    if (remote_) connections_.close(remote_);
  }

 private:
  absl::Status open_local(const InputChannel& channel, int index,
                          const std::shared_ptr<GateChannels>& gate) {
    WEIR_ASSIGN_OR_RETURN(const auto partition, registry_.find(channel.partition, channel.channel));
    gate->set_queue(index, partition->shared_queue(channel.channel));
    return partition->queue(channel.channel).attach(gate, index);
  }

  const PartitionRegistry& registry_;
  Connections& connections_;
  const std::shared_ptr<RemoteChannels> remote_;
  int next_remote_ = 0;
};

}  // namespace

NetworkEnvironment::Options NetworkEnvironment::Options::of(const Config& config) {
  const auto planned =
      static_cast<int64_t>(static_cast<double>(config.get(options::kTaskManagerMemory).bytes) *
                           config.get(options::kNetworkMemoryFraction));
  const int64_t least = config.get(options::kNetworkMemoryMin).bytes;
  const int64_t most = config.get(options::kNetworkMemoryMax).bytes;
  return {.host = config.get(options::kTaskManagerHost),
          .bind_host = config.get(options::kTaskManagerBindHost),
          .port = static_cast<int>(config.get(options::kTaskManagerDataPort)),
          .memory_bytes = std::max(least, std::min(planned, most)),
          .silence_timeout = config.get(options::kHeartbeatTimeout)};
}

absl::StatusOr<std::unique_ptr<NetworkEnvironment>> NetworkEnvironment::start(Options options) {
  auto parts = std::make_unique<Parts>(options);
  WEIR_RETURN_IF_ERROR(parts->connections.listen(options.bind_host, options.port, options.host));
  return std::unique_ptr<NetworkEnvironment>(new NetworkEnvironment(std::move(parts)));
}

NetworkEnvironment::NetworkEnvironment(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

NetworkEnvironment::~NetworkEnvironment() = default;

absl::StatusOr<std::unique_ptr<ResultPartition>> NetworkEnvironment::create_partition(
    ResultPartition::Options options) {
  WEIR_ASSIGN_OR_RETURN(auto quota,
                        parts_->pool.reserve(options.name, least_buffers(options.channels),
                                             most_buffers(options.channels)));
  auto channels = std::make_shared<PartitionChannels>(options.id, options.name, options.channels,
                                                      std::move(quota), options.on_available,
                                                      options.on_failure);
  channels->quota().set_listener(channels);
  channels->quota().allow_overdraft(options.overdraft);
  WEIR_RETURN_IF_ERROR(parts_->registry.add(channels));
  return std::make_unique<ResultPartition>(std::move(options), std::move(channels),
                                           parts_->registry);
}

absl::StatusOr<std::unique_ptr<InputGate>> NetworkEnvironment::create_gate(
    InputGate::Options options) {
  const auto remote_channels = static_cast<int>(
      std::count_if(options.channels.begin(), options.channels.end(),
                    [this](const InputChannel& from) { return from.address != address(); }));
  std::shared_ptr<RemoteChannels> remote;
  if (remote_channels > 0) {
    WEIR_ASSIGN_OR_RETURN(
        auto quota,
        parts_->pool.reserve(options.name, RemoteChannels::least_buffers(remote_channels),
                             RemoteChannels::most_buffers(remote_channels)));
    BufferQuota& listened = *quota;
    remote = std::make_shared<RemoteChannels>(remote_channels, std::move(quota));
    listened.set_listener(remote);
  }
  return std::make_unique<InputGate>(
      std::move(options),
      std::make_unique<GateSource>(parts_->registry, parts_->connections, std::move(remote)));
}

const std::string& NetworkEnvironment::address() const {
  return parts_->connections.address();
}

int NetworkEnvironment::port() const {
  return parts_->connections.port();
}

const BufferPool& NetworkEnvironment::pool() const {
  return parts_->pool;
}

}  // namespace weir
