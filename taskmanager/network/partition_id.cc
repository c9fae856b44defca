#include "taskmanager/network/partition_id.h"

#include "absl/strings/str_cat.h"

namespace weir {

std::string to_string(const PartitionId& id) {
  return absl::StrCat("edge ", id.edge, " of vertex ", id.vertex, " subtask ", id.subtask, ", job ",
                      to_string(id.job), " attempt ", to_string(id.attempt));
}

}  // namespace weir
