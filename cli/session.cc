#include "cli/session.h"

#include "absl/strings/str_cat.h"
#include "common/config.h"
#include "common/config_options.h"
#include "common/status.h"

namespace weir::cli {

absl::StatusOr<std::string> jobmanager_address(const ClientOptions& client) {
  if (!client.jobmanager.empty()) {
    if (client.jobmanager.find(':') == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("-m ", client.jobmanager, ": expected host:port, e.g. localhost:6123"));
    }
    return client.jobmanager;
  }
  WEIR_ASSIGN_OR_RETURN(const Config config,
                        Config::load(client.conf_dir, client.dynamic_properties));
  return absl::StrCat(config.get(options::kJobManagerRpcAddress), ":",
                      config.get(options::kJobManagerRpcPort));
}

}  // namespace weir::cli
