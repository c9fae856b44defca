#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace weir {

// What a shared object says of itself before it's loaded.
struct ElfFile {
  std::vector<std::string> needed;  // DT_NEEDED: the libraries it was linked with
  // The dynamic ones, with their initial bytes if they are data.
  std::map<std::string, std::string> defined_symbols;
  bool embeds_protobuf_descriptors = false;  // holds a copy of the full protobuf runtime
};

// InvalidArgument, with the reason alone, when the file isn't a shared object for this machine.
absl::StatusOr<ElfFile> read_elf_file(const std::string& path);

}  // namespace weir
