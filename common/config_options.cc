#include "common/config_options.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"

namespace weir {
namespace {

template <typename T>
std::string expected_of(const ConfigOption<T>& option) {
  if (!option.allowed.empty()) return absl::StrJoin(option.allowed, " | ");
  std::string expected = expected_form<T>();
  if (option.minimum) {
    absl::StrAppend(&expected, ", at least ", format_config_value<T>(*option.minimum));
  }
  if (option.maximum) {
    absl::StrAppend(&expected, ", at most ", format_config_value<T>(*option.maximum));
  }
  return expected;
}

template <typename T>
absl::StatusOr<std::string> canonical(const ConfigOption<T>& option, const std::string& text) {
  for (const std::string& allowed : option.allowed) {
    if (absl::EqualsIgnoreCase(text, allowed)) return allowed;
  }
  if (!option.allowed.empty()) return absl::InvalidArgumentError("no such choice");
  WEIR_ASSIGN_OR_RETURN(const T value, parse_config_value<T>(text));
  if (option.minimum && value < *option.minimum) return absl::InvalidArgumentError("too small");
  if (option.maximum && value > *option.maximum) return absl::InvalidArgumentError("too large");
  return text;
}

template <typename T>
OptionEntry entry(const ConfigOption<T>& option) {
  return {
      .key = option.key,
      .old_key = option.old_key,
      .default_value = format_config_value<T>(option.default_value),
      .description = option.description,
      .expected = expected_of(option),
      .canonical_value = [&option](const std::string& text) { return canonical(option, text); }};
}

template <typename... Options>
std::vector<OptionEntry> entries(const Options&... options) {
  return {entry(options)...};
}

}  // namespace

const std::vector<OptionEntry>& all_options() {
  using namespace options;
  static const std::vector<OptionEntry> all = entries(
      kJobManagerRpcAddress, kJobManagerRpcPort, kJobManagerBindHost, kRestAddress, kRestPort,
      kRestBindAddress, kTaskManagerHost, kTaskManagerBindHost, kTaskManagerDataPort,
      kTaskManagerResourceId, kTaskSlots, kTaskManagerMemory, kManagedMemoryFraction,
      kManagedMemory, kNetworkMemoryFraction, kNetworkMemoryMin, kNetworkMemoryMax, kParallelism,
      kMaxParallelism, kBufferTimeout, kSlotRequestTimeout, kTemporaryFolders, kCheckpointInterval,
      kCheckpointMode, kCheckpointTimeout, kCheckpointMinPause, kMaxConcurrentCheckpoints,
      kTolerableFailedCheckpoints, kCheckpointRetention, kCheckpointFolder, kSavepointFolder,
      kRetainedCheckpoints, kUnalignedCheckpoints, kAlignedCheckpointTimeout,
      kIncrementalCheckpoints, kLocalRecovery, kStateBackend, kRestartStrategy, kFixedDelayAttempts,
      kFixedDelay, kExponentialDelayInitialBackoff, kExponentialDelayMaxBackoff,
      kExponentialDelayMultiplier, kExponentialDelayResetThreshold, kExponentialDelayJitter,
      kExponentialDelayAttempts, kFailureRateMaxFailures, kFailureRateInterval, kFailureRateDelay,
      kHighAvailability, kHighAvailabilityFolder, kClusterId, kJobStoreCapacity, kEtcdEndpoints,
      kHeartbeatInterval, kHeartbeatTimeout, kTaskCancellationTimeout, kFailoverStrategy,
      kSinkRestartBudget, kSinkOnLostTransaction, kLogFolder, kLogLevel, kLogFormat);
  return all;
}

const OptionEntry* find_option(const std::string& key) {
  for (const OptionEntry& option : all_options()) {
    if (option.key == key || (!option.old_key.empty() && option.old_key == key)) return &option;
  }
  return nullptr;
}

std::vector<std::string> option_keys() {
  std::vector<std::string> keys;
  for (const OptionEntry& option : all_options()) keys.push_back(option.key);
  return keys;
}

}  // namespace weir
