#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config.h"
#include "common/config_options.h"
#include "common/fault_point.h"
#include "common/log.h"
#include "jobmanager/jobmanager_process.h"

namespace {

constexpr char kUsage[] = "usage: weir-jobmanager [-c|--conf-dir FOLDER] [-Dkey=value]...";

int fail(const absl::Status& status) {
  std::fprintf(stderr, "weir-jobmanager: %s\n", std::string(status.message()).c_str());
  return 1;
}

absl::StatusOr<weir::Config> configure(int argc, char** argv) {
  std::string folder;
  std::vector<std::string> overrides;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool has_next = i + 1 < argc;
    if ((argument == "-c" || argument == "--conf-dir") && has_next) {
      folder = argv[++i];
    } else if (argument == "-D" && has_next) {
      overrides.emplace_back(argv[++i]);
    } else if (argument.starts_with("-D") && argument.size() > 2) {
      overrides.push_back(argument.substr(2));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("'", argument, "' isn't an option; ", std::string(kUsage)));
    }
  }
  return weir::Config::load(folder, overrides);
}

absl::Status start_logging(const weir::Config& config) {
  weir::LogOptions log;
  log.level = *weir::parse_log_level(config.get(weir::options::kLogLevel));
  log.json = config.get(weir::options::kLogFormat) == "json";
  const std::string folder = config.get(weir::options::kLogFolder);
  if (!folder.empty()) log.path = absl::StrCat(folder, "/weir-jobmanager.log");
  return weir::log_init(log);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && (std::string(argv[1]) == "-h" || std::string(argv[1]) == "--help")) {
    std::puts(kUsage);
    return 0;
  }
  if (const absl::Status faults = weir::fault_points_init(); !faults.ok()) return fail(faults);
  // Before any thread starts, so that all of them leave the signals to sigwait.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const auto config = configure(argc, argv);
  if (!config.ok()) return fail(config.status());
  if (const absl::Status logging = start_logging(*config); !logging.ok()) return fail(logging);
  for (const std::string& note : config->notes()) WEIR_LOG_INFO(weir::LogContext{}, "{}", note);
  auto process = weir::JobManagerProcess::start(*config);
  if (!process.ok()) return fail(process.status());
  std::printf("JobManager listens on %s:%d, REST on %s:%d\n",
              config->get(weir::options::kJobManagerBindHost).c_str(), (*process)->rpc_port(),
              config->get(weir::options::kRestBindAddress).c_str(), (*process)->rest_port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  (*process)->shutdown();
  return 0;
}
