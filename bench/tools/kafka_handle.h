// What the measuring programs share: librdkafka handles that end the program on a wrong setting.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::bench {

using Properties = std::map<std::string, std::string>;

rd_kafka_t* create_handle(rd_kafka_type_t type, const Properties& properties,
                          void (*on_delivery)(rd_kafka_t*, const rd_kafka_message_t*,
                                              void*) = nullptr);
// Partition ids 0 … n - 1 of the topic.
int partition_count(rd_kafka_t* handle, const std::string& topic);
// Ends the program with `what` and the error's text unless it is null.
void check(rd_kafka_error_t* error, const char* what);
void check(rd_kafka_resp_err_t error, const char* what);
[[noreturn]] void fail(const std::string& message);

std::int64_t wall_clock_ms();

// --name value pairs; a repeated name keeps all its values. "--property key=value" is collected by
// properties().
class CommandLine {
 public:
  CommandLine(int argc, char** argv);
  std::string get(const std::string& name) const;  // fails when missing
  std::string get(const std::string& name, const std::string& default_value) const;
  std::int64_t get_int(const std::string& name, std::int64_t default_value) const;
  // The key=value pairs given under `name`, e.g. "--consumer fetch.message.max.bytes=8000000".
  Properties pairs(const std::string& name) const;

 private:
  std::multimap<std::string, std::string> values_;
};

}  // namespace weir::bench
