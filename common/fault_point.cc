#include "common/fault_point.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/edit_distance.h"
#include "common/mutex.h"
#include "common/status.h"

namespace weir {
namespace {

enum class Action { kKill, kStop, kDelay, kError };

struct Fault {
  Action action = Action::kKill;
  std::string text;  // as written, for the line that is logged
  int64_t delay_ms = 0;
  std::string error;
  uint64_t at_hit = 1;
};

struct Registry {
  Mutex mutex;
  std::set<std::string> names WEIR_GUARDED_BY(mutex);
  std::multimap<std::string, Fault> faults WEIR_GUARDED_BY(mutex);
  std::map<std::string, uint64_t> hits WEIR_GUARDED_BY(mutex);
  std::string log_path WEIR_GUARDED_BY(mutex);
  std::string armed_by WEIR_GUARDED_BY(mutex);  // empty once that file was seen
};

Registry& registry() {
  static auto* registry = new Registry;  // used by static initialisers, so never destroyed
  return *registry;
}

absl::Status malformed(std::string_view item, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(
      "WEIR_FAULT: '", std::string(item), "': ", std::string(why),
      "; expected name=kill[:MS]|stop[:MS]|delay:MS|error[:TEXT], then @N for the n-th hit"));
}

absl::StatusOr<std::pair<std::string, Fault>> parse_item(const std::string& item) {
  const size_t equals = item.find('=');
  if (equals == std::string::npos || equals == 0) return malformed(item, "no name=action");
  Fault fault;
  std::string action = item.substr(equals + 1);
  if (const size_t at = action.rfind('@'); at != std::string::npos) {
    if (!absl::SimpleAtoi(action.substr(at + 1), &fault.at_hit) || fault.at_hit == 0) {
      return malformed(item, "the hit after @ isn't a number from 1 on");
    }
    action.resize(at);
  }
  fault.text = action;
  std::string argument;
  const size_t colon = action.find(':');
  if (colon != std::string::npos) argument = action.substr(colon + 1);
  action = action.substr(0, colon);
  if (action == "error") {
    fault.action = Action::kError;
    fault.error = argument;
  } else if (action == "delay" || action == "kill" || action == "stop") {
    fault.action = action == "kill"   ? Action::kKill
                   : action == "stop" ? Action::kStop
                                      : Action::kDelay;
    const bool needed = action == "delay" || colon != std::string::npos;
    if (needed && (!absl::SimpleAtoi(argument, &fault.delay_ms) || fault.delay_ms < 0)) {
      return malformed(item, absl::StrCat(action, " takes milliseconds"));
    }
  } else {
    return malformed(item, absl::StrCat("no action '", action, "'"));
  }
  return std::make_pair(item.substr(0, equals), std::move(fault));
}

// One write each, so that lines of several processes don't mix; the file is synced before we act.
void record_durably(const std::string& line, const std::string& log_path) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
  if (log_path.empty()) return;
  const int fd = ::open(log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  WEIR_CHECK(fd >= 0) << "WEIR_FAULT_LOG: can't open " << log_path;
  WEIR_CHECK(::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()))
      << "WEIR_FAULT_LOG: can't write " << log_path;
  WEIR_CHECK(::fsync(fd) == 0) << "WEIR_FAULT_LOG: can't sync " << log_path;
  ::close(fd);
}

// Counts the hit; the fault to act on, if this is the one.
std::optional<Fault> take_fault(const std::string& name) {
  Registry& all = registry();
  std::optional<Fault> due;
  MutexLock lock(all.mutex);
  if (!all.armed_by.empty()) {
    if (::access(all.armed_by.c_str(), F_OK) != 0) return std::nullopt;
    all.armed_by.clear();
  }
  const uint64_t hit = ++all.hits[name];
  const auto [begin, end] = all.faults.equal_range(name);
  for (auto fault = begin; fault != end; ++fault) {
    if (fault->second.at_hit == hit) due = fault->second;
  }
  if (due) {
    record_durably(absl::StrCat("fault point ", name, " hit ", hit, " ", due->text, "\n"),
                   all.log_path);
  }
  return due;
}

absl::Status act(const std::string& name) {
  const std::optional<Fault> fault = take_fault(name);
  if (!fault) return absl::OkStatus();
  std::this_thread::sleep_for(std::chrono::milliseconds(fault->delay_ms));
  switch (fault->action) {
    case Action::kKill:
      ::kill(::getpid(), SIGKILL);
      ::pause();
      break;
    case Action::kStop:
      ::raise(SIGSTOP);  // to this thread: sent to the process, it might run on for a moment
      break;
    case Action::kDelay:
      break;
    case Action::kError:
      return absl::InternalError(fault->error.empty() ? absl::StrCat("fault point ", name)
                                                      : fault->error);
  }
  return absl::OkStatus();
}

}  // namespace

namespace fault_point_internal {

std::atomic<bool> enabled{false};

void hit(const char* name) {
  const absl::Status status = act(name);
  WEIR_CHECK(status.ok()) << "fault point " << name
                          << " can't return an error; use kill, stop or delay";
}

absl::Status hit_status(const char* name) {
  return act(name);
}

bool register_name(const char* name) {
  Registry& all = registry();
  MutexLock lock(all.mutex);
  all.names.insert(name);
  return true;
}

}  // namespace fault_point_internal

absl::Status fault_points_init() {
  const char* spec = std::getenv("WEIR_FAULT");
  if (spec == nullptr) return absl::OkStatus();
  const auto path = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::string_view(value == nullptr ? "" : value);
  };
  WEIR_RETURN_IF_ERROR(
      fault_points_configure(spec, path("WEIR_FAULT_LOG"), path("WEIR_FAULT_ARMED_BY")));
  const std::vector<std::string> known = fault_point_names();
  Registry& all = registry();
  MutexLock lock(all.mutex);
  for (const auto& [name, fault] : all.faults) {
    if (all.names.contains(name)) continue;
    std::string warning = absl::StrCat("WEIR_FAULT: no fault point '", name, "' is loaded yet");
    if (!known.empty()) absl::StrAppend(&warning, "; the nearest is '", nearest(name, known), "'");
    record_durably(warning + "\n", "");
  }
  return absl::OkStatus();
}

absl::Status fault_points_configure(std::string_view spec, std::string_view log_path,
                                    std::string_view armed_by) {
  std::multimap<std::string, Fault> faults;
  const std::vector<std::string> items =
      absl::StrSplit(absl::string_view(spec.data(), spec.size()), ',', absl::SkipEmpty());
  for (const std::string& item : items) {
    WEIR_ASSIGN_OR_RETURN(auto fault, parse_item(item));
    faults.insert(std::move(fault));
  }
  Registry& all = registry();
  MutexLock lock(all.mutex);
  all.faults = std::move(faults);
  all.hits.clear();
  all.log_path = std::string(log_path);
  all.armed_by = std::string(armed_by);
  fault_point_internal::enabled.store(!all.faults.empty());
  return absl::OkStatus();
}

std::vector<std::string> fault_point_names() {
  Registry& all = registry();
  MutexLock lock(all.mutex);
  return {all.names.begin(), all.names.end()};
}

}  // namespace weir
