// docs/configuration.md lists every key there is, with its default, and no other.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "common/config_options.h"

namespace weir {
namespace {

std::string keys_table() {
  std::string table = "| key | default | what |\n|---|---|---|\n";
  for (const OptionEntry& option : all_options()) {
    table += "| `" + option.key + "` | " +
             (option.default_value.empty() ? "" : "`" + option.default_value + "`") + " | " +
             option.description + " |\n";
  }
  return table;
}

TEST(ConfigurationPage, ListsEveryKey) {
  std::ifstream file(WEIR_SOURCE_DIR "/docs/configuration.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_NE(page.str().find(keys_table()), std::string::npos)
      << "docs/configuration.md should hold this table:\n"
      << keys_table();
}

}  // namespace
}  // namespace weir
