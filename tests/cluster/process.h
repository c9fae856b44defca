#pragma once

// A child process of a test: started with its own environment and log, signalled, awaited.

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::cluster_test {

using Environment = std::map<std::string, std::string>;

// How a process ended: by exit(code), or by a signal (code is then -1).
struct ExitStatus {
  int code = -1;
  int signal = 0;

  bool operator==(const ExitStatus&) const = default;
};

// Runs from construction on. The process dies with this object, and with the thread that started
// it, so nothing outlives a test that crashes: start processes from the test's main thread.
class Process {
 public:
  // `environment` is added to the test's own; standard output and error are appended to `log_path`.
  Process(const std::vector<std::string>& command, const Environment& environment,
          const std::string& log_path);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  // Sends SIGKILL, SIGSTOP, SIGCONT, SIGTERM …; nothing if the process has ended.
  void signal(int number);
  // SIGKILL, returns when the process is gone.
  void kill();
  // Empty if the process still runs after `timeout`.
  std::optional<ExitStatus> wait(std::chrono::milliseconds timeout);

 private:
  pid_t pid_;
  std::optional<ExitStatus> status_;
};

struct CommandResult {
  int exit_code = -1;  // 128 + number if a signal ended it
  std::string output;  // standard output
  std::string errors;  // standard error
};

// Runs a command to its end. A command that takes longer than `timeout` is killed: exit code 137.
CommandResult run_command(const std::vector<std::string>& command,
                          const Environment& environment = {},
                          std::chrono::milliseconds timeout = std::chrono::seconds(60));

// The last `lines` lines of a file, with the file's name above them.
std::string tail(const std::string& path, int lines = 30);

// From where a sanitizer reports in this log on, at most `lines` lines; empty if none has.
std::string sanitizer_report(const std::string& path, int lines = 60);

// A new folder under the system's temporary one.
std::string make_temporary_folder(const std::string& prefix);

// A port of 127.0.0.1 that nobody listens on, below the range of outgoing connections, so that a
// client that tries to reconnect can't occupy it while its server is down.
int free_port();

}  // namespace weir::cluster_test
