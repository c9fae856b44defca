#pragma once

// WEIR_LOG_INFO(context, "checkpoint of {} bytes in {} ms", bytes, duration_ms);
//
// One line, text or JSON, with the context's ids. Thread-safe; before log_init, text to stderr.

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/ids.h"

namespace weir {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  std::string path;  // appended to; empty: stderr
  bool json = false;
};

// Copied around freely; what isn't set isn't shown.
struct LogContext {
  std::optional<JobId> job;
  std::optional<Attempt> attempt;
  std::optional<CheckpointId> checkpoint;
  std::optional<SubtaskIndex> subtask;
};

// The error names the log file and why it can't be opened.
absl::Status log_init(const LogOptions& options);
// "INFO", in any case; also Log4j's names (FATAL is error, WARNING is warn, ALL is trace).
std::optional<LogLevel> parse_log_level(std::string_view text);

bool log_enabled(LogLevel level);
void write_log(LogLevel level, const LogContext& context, const char* file, int line,
               fmt::string_view format, fmt::format_args arguments);

template <typename... Arguments>
void log_formatted(LogLevel level, const LogContext& context, const char* file, int line,
                   fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  write_log(level, context, file, line, format, fmt::make_format_args(arguments...));
}

}  // namespace weir

#define WEIR_LOG(level, context, ...)                                         \
  do {                                                                        \
    if (::weir::log_enabled(level))                                           \
      ::weir::log_formatted(level, context, __FILE__, __LINE__, __VA_ARGS__); \
  } while (false)
#define WEIR_LOG_DEBUG(context, ...) WEIR_LOG(::weir::LogLevel::kDebug, context, __VA_ARGS__)
#define WEIR_LOG_INFO(context, ...) WEIR_LOG(::weir::LogLevel::kInfo, context, __VA_ARGS__)
#define WEIR_LOG_WARN(context, ...) WEIR_LOG(::weir::LogLevel::kWarn, context, __VA_ARGS__)
#define WEIR_LOG_ERROR(context, ...) WEIR_LOG(::weir::LogLevel::kError, context, __VA_ARGS__)

// The ids of ids.h as arguments of fmt.
template <typename Tag>
struct fmt::formatter<weir::StrongInt<Tag>> : fmt::formatter<typename Tag::Rep> {
  template <typename FormatContext>
  auto format(weir::StrongInt<Tag> id, FormatContext& context) const {
    return fmt::formatter<typename Tag::Rep>::format(id.value(), context);
  }
};
template <>
struct fmt::formatter<weir::JobId> : fmt::formatter<std::string> {
  template <typename FormatContext>
  auto format(const weir::JobId& id, FormatContext& context) const {
    return fmt::formatter<std::string>::format(to_string(id), context);
  }
};
