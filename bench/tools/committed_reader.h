// Reads a topic as a read_committed reader sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "bench/tools/kafka_handle.h"

namespace weir::bench {

rd_kafka_t* create_committed_reader(const CommandLine& args);

// Shows each record of --topic, with the wall clock at which it came, until --records have come and
// nothing more is visible. Ends the program when none comes for --timeout-s (60).
void read_committed(const CommandLine& args,
                    const std::function<void(std::string_view value, std::int64_t now_ms)>& visit);

}  // namespace weir::bench
