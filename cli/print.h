// How the command line shows things: tables for people, JSON for scripts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"

namespace weir::cli {

// Columns are padded to their widest cell; the first row is the heading.
void print_table(const std::vector<std::vector<std::string>>& rows);
// Field names as in the proto files.
void print_json(const google::protobuf::Message& message);

// "2026-05-01 12:00:05.120" UTC; "-" for 0.
std::string show_time(std::int64_t time_ms);
// "1.2 s", "85 ms", "3 min 20 s".
std::string show_duration(std::int64_t duration_ms);
// "74 KiB".
std::string show_bytes(std::uint64_t bytes);

}  // namespace weir::cli
