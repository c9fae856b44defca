#include "taskmanager/server/attempt_info.h"

#include "common/config.h"
#include "common/config_options.h"
#include "proto/job_graph.pb.h"

namespace weir {

AttemptInfo attempt_info_of(const std::string& job_id, int attempt, const pb::JobGraph& graph) {
  Config config;
  for (const auto& [key, value] : graph.configuration()) {
    config.set(key, value).IgnoreError();  // checked when the job was submitted
  }
  AttemptInfo info;
  info.job_id = job_id;
  info.job_name = graph.name();
  info.attempt = attempt;
  info.checkpoint_settings.interval = config.get(options::kCheckpointInterval);
  info.checkpoint_settings.timeout = config.get(options::kCheckpointTimeout);
  info.checkpoint_settings.restart_budget = config.get(options::kSinkRestartBudget);
  info.checkpoint_settings.concurrent_max =
      static_cast<int>(config.get(options::kMaxConcurrentCheckpoints));
  return info;
}

}  // namespace weir
