#pragma once

#include <string>
#include <vector>

namespace weir::cli {

// What every verb takes.
struct ClientOptions {
  std::string conf_dir;                         // -c, else WEIR_CONF_DIR
  std::string jobmanager;                       // -m host:port, else from the configuration
  std::vector<std::string> dynamic_properties;  // -Dkey=value
  bool json = false;                            // -o json
};

struct RunOptions {
  std::string library;
  std::vector<std::string> arguments;
  std::string savepoint_path;
  std::string target = "remote";
  int parallelism = 0;  // 0: parallelism.default
  bool detached = false;
  bool allow_non_restored_state = false;
};

}  // namespace weir::cli
