#pragma once

// Every key of weir.yaml. Names, meanings and, where nothing else is said, defaults are Flink's.

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config_option.h"

namespace weir::options {

using Duration = std::chrono::milliseconds;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// Addresses.
inline const ConfigOption<std::string> kJobManagerRpcAddress{
    "jobmanager.rpc.address", "localhost",
    "Host at which TaskManagers and clients reach the JobManager."};
inline const ConfigOption<int64_t> kJobManagerRpcPort{
    .key = "jobmanager.rpc.port",
    .default_value = 6123,
    .description = "Its gRPC port; 0 takes a free one.",
    .minimum = 0,
    .maximum = 65535};
inline const ConfigOption<std::string> kJobManagerBindHost{
    .key = "jobmanager.bind-host",
    .default_value = "127.0.0.1",
    .description = "Address the JobManager listens on; 0.0.0.0 for all.",
    .old_key = "jobmanager.rpc.bind-host"};
inline const ConfigOption<std::string> kRestAddress{
    "rest.address", "localhost", "Host at which clients reach the REST interface."};
inline const ConfigOption<int64_t> kRestPort{
    .key = "rest.port",
    .default_value = 8081,
    .description = "Port of the REST interface; 0 takes a free one.",
    .minimum = 0,
    .maximum = 65535};
inline const ConfigOption<std::string> kRestBindAddress{
    "rest.bind-address", "127.0.0.1", "Address the REST interface listens on; 0.0.0.0 for all."};
inline const ConfigOption<std::string> kTaskManagerHost{
    "taskmanager.host", "localhost", "Host at which other TaskManagers reach this one."};
inline const ConfigOption<std::string> kTaskManagerBindHost{
    "taskmanager.bind-host", "127.0.0.1", "Address the TaskManager listens on; 0.0.0.0 for all."};
inline const ConfigOption<int64_t> kTaskManagerDataPort{
    .key = "taskmanager.data.port",
    .default_value = 0,
    .description = "Port by which other TaskManagers fetch records; 0 takes a free one.",
    .minimum = 0,
    .maximum = 65535};
inline const ConfigOption<std::string> kTaskManagerResourceId{
    "taskmanager.resource-id", "", "Name of this TaskManager; empty makes one up."};

// Resources.
inline const ConfigOption<int64_t> kTaskSlots{
    .key = "taskmanager.numberOfTaskSlots",
    .default_value = 1,
    .description = "Slots of a TaskManager; a slot runs one subtask of every chain.",
    .minimum = 1,
    .maximum = 1024};
inline const ConfigOption<MemorySize> kTaskManagerMemory{
    .key = "taskmanager.memory.process.size",
    .default_value = MemorySize{1728ll << 20},
    .description = "Memory of a TaskManager's process: see below.",
    .minimum = MemorySize{64ll << 20}};
inline const ConfigOption<double> kManagedMemoryFraction{
    .key = "taskmanager.memory.managed.fraction",
    .default_value = 0.4,
    .description = "Part of it that holds the rocksdb backend's caches and buffers, of 1.",
    .minimum = 0.0,
    .maximum = 1.0};
inline const ConfigOption<MemorySize> kManagedMemory{
    .key = "taskmanager.memory.managed.size",
    .default_value = MemorySize{0},
    .description = "The same as a size; 0 takes the fraction.",
    .minimum = MemorySize{0}};
inline const ConfigOption<double> kNetworkMemoryFraction{
    .key = "taskmanager.memory.network.fraction",
    .default_value = 0.1,
    .description = "Part of it that holds records on their way between tasks, of 1.",
    .minimum = 0.0,
    .maximum = 1.0};
inline const ConfigOption<MemorySize> kNetworkMemoryMin{
    .key = "taskmanager.memory.network.min",
    .default_value = MemorySize{64ll << 20},
    .description = "The least memory for records on their way.",
    .minimum = MemorySize{1ll << 20}};
inline const ConfigOption<MemorySize> kNetworkMemoryMax{
    .key = "taskmanager.memory.network.max",
    .default_value = MemorySize{1ll << 40},
    .description = "The most memory for records on their way; not below the least.",
    .minimum = MemorySize{1ll << 20}};
inline const ConfigOption<int64_t> kParallelism{
    .key = "parallelism.default",
    .default_value = 1,
    .description = "Subtasks of an operator that doesn't say.",
    .minimum = 1,
    .maximum = 32768};
inline const ConfigOption<int64_t> kMaxParallelism{
    .key = "pipeline.max-parallelism",
    .default_value = 0,
    .description =
        "Key groups of a job, for good from its first run; 0 chooses: 128, or more for "
        "a parallelism over 85.",
    .minimum = 0,
    .maximum = 32768};
inline const ConfigOption<Duration> kBufferTimeout{
    .key = "execution.buffer-timeout.interval",
    .default_value = 100ms,
    .description = "How long records wait for others to be sent with; 0 sends each batch at once.",
    .minimum = 0ms};
inline const ConfigOption<Duration> kSlotRequestTimeout{
    .key = "slot.request.timeout",
    .default_value = 5min,
    .description = "How long a job waits for slots before it fails.",
    .minimum = 0ms};
inline const ConfigOption<std::string> kTemporaryFolders{
    "io.tmp.dirs", "/tmp", "Where job libraries and working state are kept on a TaskManager."};

// Checkpoints.
inline const ConfigOption<Duration> kCheckpointInterval{
    "execution.checkpointing.interval", 0ms,
    "Time from one checkpoint's start to the next's; 0 is off."};
inline const ConfigOption<std::string> kCheckpointMode{
    .key = "execution.checkpointing.mode",
    .default_value = "EXACTLY_ONCE",
    .description = "Whether barriers are aligned.",
    .allowed = {"EXACTLY_ONCE", "AT_LEAST_ONCE"}};
inline const ConfigOption<Duration> kCheckpointTimeout{
    .key = "execution.checkpointing.timeout",
    .default_value = 10min,
    .description = "A checkpoint that takes longer is discarded and counts as failed.",
    .minimum = 1ms};
inline const ConfigOption<Duration> kCheckpointMinPause{
    "execution.checkpointing.min-pause", 0ms,
    "Least time from a checkpoint's end to the next's start."};
inline const ConfigOption<int64_t> kMaxConcurrentCheckpoints{
    .key = "execution.checkpointing.max-concurrent-checkpoints",
    .default_value = 1,
    .description = "Checkpoints that may run at a time.",
    .minimum = 1,
    .maximum = 1000};
inline const ConfigOption<int64_t> kTolerableFailedCheckpoints{
    .key = "execution.checkpointing.tolerable-failed-checkpoints",
    .default_value = 0,
    .description = "Failed checkpoints in a row that don't fail the job.",
    .minimum = 0};
inline const ConfigOption<std::string> kCheckpointRetention{
    .key = "execution.checkpointing.externalized-checkpoint-retention",
    .default_value = "NO_EXTERNALIZED_CHECKPOINTS",
    .description = "Whether a cancelled job's checkpoints are kept; a failed job's always are.",
    .allowed = {"NO_EXTERNALIZED_CHECKPOINTS", "DELETE_ON_CANCELLATION", "RETAIN_ON_CANCELLATION"}};
inline const ConfigOption<std::string> kCheckpointFolder{
    .key = "execution.checkpointing.dir",
    .default_value = "",
    .description = "Address of the checkpoints; all processes must reach it.",
    .old_key = "state.checkpoints.dir"};
inline const ConfigOption<std::string> kSavepointFolder{
    .key = "execution.checkpointing.savepoint-dir",
    .default_value = "",
    .description = "Where savepoints go that name no folder.",
    .old_key = "state.savepoints.dir"};
inline const ConfigOption<int64_t> kRetainedCheckpoints{
    .key = "execution.checkpointing.num-retained",
    .default_value = 1,
    .description = "Completed checkpoints that are kept.",
    .minimum = 1,
    .old_key = "state.checkpoints.num-retained"};
inline const ConfigOption<bool> kUnalignedCheckpoints{
    "execution.checkpointing.unaligned.enabled", false,
    "Barriers overtake records that wait; only with exactly-once, as at-least-once aligns "
    "nothing."};
inline const ConfigOption<Duration> kAlignedCheckpointTimeout{
    "execution.checkpointing.aligned-checkpoint-timeout", 0ms,
    "How long an unaligned checkpoint tries alignment first."};
inline const ConfigOption<bool> kIncrementalCheckpoints{
    .key = "execution.checkpointing.incremental",
    .default_value = false,
    .description = "Store only what changed since the last checkpoint.",
    .old_key = "state.backend.incremental"};
inline const ConfigOption<bool> kLocalRecovery{
    .key = "execution.state-recovery.from-local",
    .default_value = false,
    .description =
        "Keep copies of the keyed state's checkpoint files on the TaskManagers' own "
        "disks, and restart from them.",
    .old_key = "state.backend.local-recovery"};
inline const ConfigOption<std::string> kStateBackend{.key = "state.backend.type",
                                                     .default_value = "hashmap",
                                                     .description = "Where keyed state lives.",
                                                     .allowed = {"hashmap", "rocksdb"},
                                                     .old_key = "state.backend"};

// Restarts.
inline const ConfigOption<std::string> kRestartStrategy{
    .key = "restart-strategy.type",
    .default_value = "exponential-delay",
    .description = "What follows a failure; without checkpoints and this key, none.",
    .allowed = {"none", "off", "disable", "fixed-delay", "fixeddelay", "exponential-delay",
                "exponentialdelay", "failure-rate", "failurerate"},
    .old_key = "restart-strategy"};
inline const ConfigOption<int64_t> kFixedDelayAttempts{
    .key = "restart-strategy.fixed-delay.attempts",
    .default_value = 1,
    .description = "Restarts before the job fails.",
    .minimum = 0};
inline const ConfigOption<Duration> kFixedDelay{"restart-strategy.fixed-delay.delay", 1s,
                                                "Pause before each restart."};
inline const ConfigOption<Duration> kExponentialDelayInitialBackoff{
    .key = "restart-strategy.exponential-delay.initial-backoff",
    .default_value = 1s,
    .description = "Pause before the first restart.",
    .minimum = 0ms};
inline const ConfigOption<Duration> kExponentialDelayMaxBackoff{
    "restart-strategy.exponential-delay.max-backoff", 1min, "The longest pause."};
inline const ConfigOption<double> kExponentialDelayMultiplier{
    .key = "restart-strategy.exponential-delay.backoff-multiplier",
    .default_value = 1.5,
    .description = "Growth of the pause from one failure to the next.",
    .minimum = 1.0};
inline const ConfigOption<Duration> kExponentialDelayResetThreshold{
    "restart-strategy.exponential-delay.reset-backoff-threshold", 1h,
    "Time without a failure after which the pause starts small again."};
inline const ConfigOption<double> kExponentialDelayJitter{
    .key = "restart-strategy.exponential-delay.jitter-factor",
    .default_value = 0.1,
    .description = "Random part of the pause, of 1.",
    .minimum = 0.0,
    .maximum = 1.0};
inline const ConfigOption<int64_t> kExponentialDelayAttempts{
    .key = "restart-strategy.exponential-delay.attempts-before-reset-backoff",
    .default_value = 2147483647,
    .description = "Restarts before the job fails, unless the pause was reset between.",
    .minimum = 0};
inline const ConfigOption<int64_t> kFailureRateMaxFailures{
    .key = "restart-strategy.failure-rate.max-failures-per-interval",
    .default_value = 1,
    .description = "Failures within the interval that don't fail the job.",
    .minimum = 0};
inline const ConfigOption<Duration> kFailureRateInterval{
    "restart-strategy.failure-rate.failure-rate-interval", 1min,
    "The interval they are counted in."};
inline const ConfigOption<Duration> kFailureRateDelay{"restart-strategy.failure-rate.delay", 1s,
                                                      "Pause before each restart."};

// Availability.
inline const ConfigOption<std::string> kHighAvailability{
    .key = "high-availability.type",
    .default_value = "none",
    .description = "Where the JobManager's own state is kept; none is a local folder.",
    .allowed = {"none", "etcd"}};
inline const ConfigOption<std::string> kHighAvailabilityFolder{
    "high-availability.storageDir", "", "Folder of the JobManager's jobs and libraries."};
inline const ConfigOption<std::string> kClusterId{"high-availability.cluster-id", "/default",
                                                  "Tells clusters apart that share a store."};
inline const ConfigOption<int64_t> kJobStoreCapacity{
    .key = "jobstore.max-capacity",
    .default_value = 1000,
    .description = "Ended jobs that are remembered; the oldest are forgotten first.",
    .minimum = 0};
inline const ConfigOption<std::string> kEtcdEndpoints{
    "high-availability.etcd.endpoints", "", "host:port of etcd's members, separated by ','."};
inline const ConfigOption<Duration> kHeartbeatInterval{
    .key = "heartbeat.interval",
    .default_value = 10s,
    .description = "Between heartbeats of JobManager and TaskManager.",
    .minimum = 1ms};
inline const ConfigOption<Duration> kHeartbeatTimeout{
    .key = "heartbeat.timeout",
    .default_value = 50s,
    .description =
        "Silence after which a host is taken for lost; a closed connection is seen at once.",
    .minimum = 1ms};
inline const ConfigOption<Duration> kTaskCancellationTimeout{
    "task.cancellation.timeout", 180s,
    "After this a task that doesn't end takes its TaskManager with it; 0 waits for ever."};
inline const ConfigOption<std::string> kFailoverStrategy{
    .key = "jobmanager.execution.failover-strategy",
    .default_value = "region",
    .description = "What restarts when a task fails: all that records connect it with, or full.",
    .allowed = {"region", "full"}};

// Sinks.
inline const ConfigOption<Duration> kSinkRestartBudget{
    "sink.restart-budget", 2min,
    "How long a job may be down without a sink's transactions running out."};
inline const ConfigOption<std::string> kSinkOnLostTransaction{
    .key = "sink.on-lost-transaction",
    .default_value = "fail",
    .description = "When a completed checkpoint's transaction can't be committed any more.",
    .allowed = {"fail", "rewind", "accept"}};

// Logs.
inline const ConfigOption<std::string> kLogFolder{"env.log.dir", "",
                                                  "Folder of the log files; empty is stderr."};
inline const ConfigOption<std::string> kLogLevel{
    .key = "env.log.level",
    .default_value = "INFO",
    .description = "The least level that is written.",
    .allowed = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"}};
inline const ConfigOption<std::string> kLogFormat{.key = "log.format",
                                                  .default_value = "text",
                                                  .description = "Lines of text, or JSON objects.",
                                                  .allowed = {"text", "json"}};

}  // namespace weir::options

namespace weir {

// A key of any type.
struct OptionEntry {
  std::string key;
  std::string old_key;
  std::string default_value;
  std::string description;
  std::string expected;
  // The value as get() reads it, or why it isn't one.
  std::function<absl::StatusOr<std::string>(const std::string& value)> canonical_value;
};

const std::vector<OptionEntry>& all_options();

// By either spelling; null if there is none.
const OptionEntry* find_option(const std::string& key);

// Current spellings only.
std::vector<std::string> option_keys();

}  // namespace weir
