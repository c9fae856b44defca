#include "bench/tools/kafka_handle.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace weir::bench {

void fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(EXIT_FAILURE);
}

void check(rd_kafka_resp_err_t error, const char* what) {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(std::string(what) + ": " + rd_kafka_err2str(error));
}

void check(rd_kafka_error_t* error, const char* what) {
  if (error != nullptr) fail(std::string(what) + ": " + rd_kafka_error_string(error));
}

rd_kafka_t* create_handle(rd_kafka_type_t type, const Properties& properties,
                          void (*on_delivery)(rd_kafka_t*, const rd_kafka_message_t*, void*)) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[512];
  for (const auto& [key, value] : properties) {
    if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), error, sizeof error) !=
        RD_KAFKA_CONF_OK) {
      fail(error);
    }
  }
  if (on_delivery != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* handle = rd_kafka_new(type, conf, error, sizeof error);
  if (handle == nullptr) fail(error);
  return handle;
}

int partition_count(rd_kafka_t* handle, const std::string& topic) {
  rd_kafka_topic_t* rkt = rd_kafka_topic_new(handle, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  check(rd_kafka_metadata(handle, 0, rkt, &metadata, 10'000), "metadata");
  const int count = metadata->topics[0].partition_cnt;
  check(metadata->topics[0].err, topic.c_str());
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(rkt);
  return count;
}

std::int64_t wall_clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

CommandLine::CommandLine(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name.rfind("--", 0) != 0) fail("'" + name + "' isn't --name");
    values_.emplace(name.substr(2), argv[i + 1]);
  }
  if (argc % 2 == 0) fail(std::string(argv[argc - 1]) + " has no value");
}

std::string CommandLine::get(const std::string& name) const {
  const auto it = values_.find(name);
  if (it == values_.end()) fail("--" + name + " is missing");
  return it->second;
}

std::string CommandLine::get(const std::string& name, const std::string& default_value) const {
  const auto it = values_.find(name);
  return it == values_.end() ? default_value : it->second;
}

std::int64_t CommandLine::get_int(const std::string& name, std::int64_t default_value) const {
  const auto it = values_.find(name);
  return it == values_.end() ? default_value : std::stoll(it->second);
}

Properties CommandLine::pairs(const std::string& name) const {
  Properties result;
  const auto [begin, end] = values_.equal_range(name);
  for (auto it = begin; it != end; ++it) {
    const std::size_t equals = it->second.find('=');
    if (equals == std::string::npos) fail("--" + name + " " + it->second + " isn't key=value");
    result[it->second.substr(0, equals)] = it->second.substr(equals + 1);
  }
  return result;
}

}  // namespace weir::bench
