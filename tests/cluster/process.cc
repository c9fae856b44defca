#include "tests/cluster/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>

namespace weir::cluster_test {
namespace {

using std::chrono::steady_clock;

// Everything that the child needs between fork and exec, where it may not allocate.
class ChildImage {
 public:
  ChildImage(const std::vector<std::string>& command, const Environment& environment)
      : command_(command) {
    for (char** variable = environ; *variable != nullptr; ++variable) {
      std::string_view text = *variable;
      if (!environment.contains(std::string(text.substr(0, text.find('='))))) {
        variables_.emplace_back(text);
      }
    }
    for (const auto& [name, value] : environment) variables_.push_back(name + "=" + value);
    for (std::string& argument : command_) arguments_.push_back(argument.data());
    arguments_.push_back(nullptr);
    for (std::string& variable : variables_) environment_.push_back(variable.data());
    environment_.push_back(nullptr);
  }

  pid_t start(int output, int errors) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) throw std::runtime_error(std::string("fork: ") + strerror(errno));
    if (child > 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    int input = open("/dev/null", O_RDONLY);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    close_range(3, ~0U, 0);
    execvpe(arguments_[0], arguments_.data(), environment_.data());
    dprintf(STDERR_FILENO, "%s: %s\n", arguments_[0], strerror(errno));
    _exit(127);
  }

 private:
  std::vector<std::string> command_;
  std::vector<std::string> variables_;
  std::vector<char*> arguments_;
  std::vector<char*> environment_;
};

// Waits for the end of a child of ours by its pidfd; a negative timeout waits without end.
bool await_end(pid_t pid, std::chrono::milliseconds timeout) {
  int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0) throw std::runtime_error(std::string("pidfd_open: ") + strerror(errno));
  pollfd ended = {.fd = descriptor, .events = POLLIN, .revents = 0};
  steady_clock::time_point deadline = steady_clock::now() + timeout;
  int ready;
  do {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    ready = poll(&ended, 1, timeout.count() < 0 ? -1 : std::max<int>(0, left.count()));
  } while (ready < 0 && errno == EINTR);
  close(descriptor);
  return ready > 0;
}

ExitStatus reap(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw std::runtime_error(std::string("waitpid: ") + strerror(errno));
  }
  if (WIFSIGNALED(status)) return {.code = -1, .signal = WTERMSIG(status)};
  return {.code = WEXITSTATUS(status), .signal = 0};
}

std::string read_from_start(int descriptor) {
  std::string text;
  char buffer[65536];
  ssize_t size;
  off_t offset = 0;
  while ((size = pread(descriptor, buffer, sizeof(buffer), offset)) > 0) {
    text.append(buffer, size);
    offset += size;
  }
  return text;
}

bool is_free(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int reuse = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  bool bound = bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(listener);
  return bound;
}

}  // namespace

Process::Process(const std::vector<std::string>& command, const Environment& environment,
                 const std::string& log_path) {
  ChildImage image(command, environment);
  int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) throw std::runtime_error(log_path + ": " + strerror(errno));
  pid_ = image.start(log, log);
  close(log);
}

Process::~Process() {
  kill();
}

bool Process::running() {
  return !wait(std::chrono::milliseconds(0));
}

void Process::signal(int number) {
  if (running()) ::kill(pid_, number);
}

void Process::kill() {
  signal(SIGKILL);
  wait(std::chrono::milliseconds(-1));
}

std::optional<ExitStatus> Process::wait(std::chrono::milliseconds timeout) {
  if (!status_ && await_end(pid_, timeout)) status_ = reap(pid_);
  return status_;
}

CommandResult run_command(const std::vector<std::string>& command, const Environment& environment,
                          std::chrono::milliseconds timeout) {
  ChildImage image(command, environment);
  // Files in memory, not pipes: a command's own background processes can't keep us waiting.
  int output = memfd_create("output", MFD_CLOEXEC);
  int errors = memfd_create("errors", MFD_CLOEXEC);
  pid_t child = image.start(output, errors);
  if (!await_end(child, timeout)) ::kill(child, SIGKILL);
  ExitStatus status = reap(child);
  CommandResult result = {.exit_code = status.signal != 0 ? 128 + status.signal : status.code,
                          .output = read_from_start(output),
                          .errors = read_from_start(errors)};
  close(output);
  close(errors);
  return result;
}

std::string tail(const std::string& path, int lines) {
  std::deque<std::string> last;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    last.push_back(line);
    if (static_cast<int>(last.size()) > lines) last.pop_front();
  }
  std::string text = "--- " + path + "\n";
  for (const std::string& line : last) text += line + "\n";
  return text;
}

std::string sanitizer_report(const std::string& path, int lines) {
  std::string report;
  std::ifstream file(path);
  for (std::string line; lines > 0 && std::getline(file, line);) {
    const bool starts = line.find("Sanitizer: ") != std::string::npos ||
                        line.find(": runtime error: ") != std::string::npos;
    if (report.empty() && !starts) continue;
    report += line + "\n";
    --lines;
  }
  return report;
}

std::string make_temporary_folder(const std::string& prefix) {
  std::string path = std::filesystem::temp_directory_path() / (prefix + "-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) throw std::runtime_error(path + ": " + strerror(errno));
  return path;
}

int free_port() {
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> ports(20000, 32000);
  int port;
  do {
    port = ports(random);
  } while (!is_free(port));
  return port;
}

}  // namespace weir::cluster_test
