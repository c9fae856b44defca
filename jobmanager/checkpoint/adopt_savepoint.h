#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "proto/job_record.pb.h"

namespace weir {

// When a job's end is written down: makes its last savepoint the recovery point if it is newer than
// that and of the attempt that ran last. Then the end commits what the savepoint has prepared
// instead of aborting it, and a job that goes on from the savepoint finds nothing lost.
//
// `generation_of` reads the generation in a savepoint's manifest; nothing if the user has deleted
// it. A savepoint of an earlier attempt is left alone: a recovery has fenced its transactions.
void adopt_last_savepoint(
    pb::JobRecord& record,
    const std::function<std::optional<std::uint64_t>(const std::string& path)>& generation_of);

}  // namespace weir
