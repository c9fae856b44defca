#include "common/log.h"

#include <fmt/chrono.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/mutex.h"

namespace weir {
namespace {

struct Log {
  std::shared_ptr<spdlog::logger> logger;
  LogLevel level = LogLevel::kInfo;
  bool json = false;
};

constexpr const char* kLevelNames[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};

const Log* make_log(spdlog::sink_ptr sink, const LogOptions& options) {
  auto logger = std::make_shared<spdlog::logger>("weir", std::move(sink));
  logger->set_level(spdlog::level::trace);
  logger->set_pattern("%v");
  logger->flush_on(spdlog::level::trace);  // the last lines before a kill are the ones that matter
  // Never freed: another thread may be writing while log_init replaces it, or at the process's end.
  static Mutex mutex;
  static auto* logs = new std::deque<Log>;
  MutexLock lock(mutex);
  logs->push_back({.logger = std::move(logger), .level = options.level, .json = options.json});
  return &logs->back();
}

std::atomic<const Log*>& current() {
  static std::atomic<const Log*> log{
      make_log(std::make_shared<spdlog::sinks::stderr_sink_mt>(), LogOptions{})};
  return log;
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string format_time() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     std::chrono::time_point_cast<std::chrono::seconds>(now),
                     now.time_since_epoch().count() % 1000);
}

std::string text_line(LogLevel level, const LogContext& context, std::string_view source,
                      std::string_view message) {
  fmt::memory_buffer out;
  fmt::format_to(std::back_inserter(out), "{} {:<5} ", format_time(),
                 kLevelNames[static_cast<size_t>(level)]);
  if (context.job) fmt::format_to(std::back_inserter(out), "job={} ", *context.job);
  if (context.attempt) fmt::format_to(std::back_inserter(out), "attempt={} ", *context.attempt);
  if (context.checkpoint) {
    fmt::format_to(std::back_inserter(out), "checkpoint={} ", *context.checkpoint);
  }
  if (context.subtask) fmt::format_to(std::back_inserter(out), "subtask={} ", *context.subtask);
  fmt::format_to(std::back_inserter(out), "{} ({})", message, source);
  return fmt::to_string(out);
}

std::string json_line(LogLevel level, const LogContext& context, std::string_view source,
                      std::string_view message) {
  nlohmann::ordered_json line;
  line["time"] = format_time();
  line["level"] = kLevelNames[static_cast<size_t>(level)];
  if (context.job) line["job"] = to_string(*context.job);
  if (context.attempt) line["attempt"] = context.attempt->value();
  if (context.checkpoint) line["checkpoint"] = context.checkpoint->value();
  if (context.subtask) line["subtask"] = context.subtask->value();
  line["message"] = message;
  line["source"] = source;
  // Text from outside may not be UTF-8; a log line is better with a replacement than not at all.
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

absl::Status log_init(const LogOptions& options) {
  spdlog::sink_ptr sink;
  if (options.path.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    try {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.path);
    } catch (const spdlog::spdlog_ex& error) {
      return absl::FailedPreconditionError(
          absl::StrCat("can't log to ", options.path, ": ", error.what(), "; check env.log.dir"));
    }
  }
  current().store(make_log(std::move(sink), options));
  return absl::OkStatus();
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
  const std::string name = absl::AsciiStrToUpper(absl::string_view(text.data(), text.size()));
  for (size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (name == kLevelNames[i]) return static_cast<LogLevel>(i);
  }
  if (name == "ALL") return LogLevel::kTrace;
  if (name == "WARNING") return LogLevel::kWarn;
  if (name == "FATAL") return LogLevel::kError;
  return std::nullopt;
}

bool log_enabled(LogLevel level) {
  return level >= current().load()->level;
}

void write_log(LogLevel level, const LogContext& context, const char* file, int line,
               fmt::string_view format, fmt::format_args arguments) {
  const std::string message = fmt::vformat(format, arguments);
  const std::string source = fmt::format("{}:{}", base_name(file), line);
  const Log& log = *current().load();
  log.logger->log(spdlog::level::info, log.json ? json_line(level, context, source, message)
                                                : text_line(level, context, source, message));
}

}  // namespace weir
