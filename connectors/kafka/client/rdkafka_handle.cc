#include "connectors/kafka/client/rdkafka_handle.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace weir::kafka {

absl::StatusOr<ConfPtr> make_conf(const Properties& properties) {
  ConfPtr conf(rd_kafka_conf_new());
  std::array<char, 512> error{};
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error.data(), error.size()) !=
        RD_KAFKA_CONF_OK) {
      return absl::InvalidArgumentError(error.data());
    }
  }
  return conf;
}

absl::StatusOr<HandlePtr> make_handle(rd_kafka_type_t type, ConfPtr conf) {
  std::array<char, 512> error{};
  HandlePtr handle(rd_kafka_new(type, conf.get(), error.data(), error.size()));
  if (!handle) return absl::InvalidArgumentError(error.data());
  [[maybe_unused]] auto* const owned_by_handle = conf.release();
  return handle;
}

std::string error_text(rd_kafka_resp_err_t error) {
  return absl::StrCat(rd_kafka_err2name(error), ": ", rd_kafka_err2str(error));
}

absl::Status to_status(rd_kafka_resp_err_t error, std::string_view what) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(std::string(what), ": ", error_text(error)));
}

}  // namespace weir::kafka
