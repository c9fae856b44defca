#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "common/config.h"
#include "common/config_options.h"
#include "common/fault_point.h"
#include "common/log.h"
#include "common/status.h"
#include "taskmanager/taskmanager_process.h"

namespace weir {
namespace {

absl::Status start_log(const Config& config) {
  LogOptions log;
  log.level = parse_log_level(config.get(options::kLogLevel)).value_or(LogLevel::kInfo);
  log.json = config.get(options::kLogFormat) == "json";
  if (const std::string folder = config.get(options::kLogFolder); !folder.empty()) {
    log.path = folder + "/weir-taskmanager-" + std::to_string(::getpid()) + ".log";
  }
  WEIR_RETURN_IF_ERROR(log_init(log));
  for (const std::string& note : config.notes()) WEIR_LOG_WARN({}, "{}", note);
  return absl::OkStatus();
}

// The allocator keeps what is freed, in each of its arenas up to twice the largest block that it
// has given back, of up to 32 MiB: for a small process too much. Giving more back costs time, as it
// is soon taken again: a count per key took a sixth more CPU with 8 MiB in a process of 3 GB.
void bound_freed_memory(MemorySize process_size) {
  constexpr int64_t kMost = 32 << 20;
  const int bytes = static_cast<int>(std::min(process_size.bytes / 64, kMost));
  ::mallopt(M_MMAP_THRESHOLD, bytes);
  ::mallopt(M_TRIM_THRESHOLD, 2 * bytes);
}

absl::Status run(const std::string& conf_dir, const std::vector<std::string>& overrides) {
  WEIR_RETURN_IF_ERROR(fault_points_init());
  WEIR_ASSIGN_OR_RETURN(const Config config, Config::load(conf_dir, overrides));
  bound_freed_memory(config.get(options::kTaskManagerMemory));
  WEIR_RETURN_IF_ERROR(start_log(config));
  // Blocked before any thread is made, so that none but this one takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  WEIR_ASSIGN_OR_RETURN(const auto process,
                        TaskManagerProcess::start(config, [](const std::string& line) {
                          std::printf("%s\n", line.c_str());
                          std::fflush(stdout);
                        }));
  int signal = 0;
  sigwait(&signals, &signal);
  WEIR_LOG_INFO({}, "ending on signal {}", signal);
  process->shutdown();
  return absl::OkStatus();
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  CLI::App app("A TaskManager of Weir: runs the tasks that its JobManager gives it.",
               "weir-taskmanager");
  std::string conf_dir;
  std::vector<std::string> overrides;
  app.add_option("-c,--conf-dir", conf_dir, "Folder of weir.yaml; default $WEIR_CONF_DIR");
  app.add_option("-D", overrides, "key=value, over the file's")->allow_extra_args(false);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = weir::run(conf_dir, overrides);
  if (status.ok()) return 0;
  std::fprintf(stderr, "weir-taskmanager: %s\n", std::string(status.message()).c_str());
  return 1;
}
