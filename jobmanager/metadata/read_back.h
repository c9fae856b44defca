#pragma once

#include "absl/status/statusor.h"
#include "jobmanager/metadata/metadata_store.h"

namespace weir {

// After a write that returned Unknown. The new version if `record` was written over `expected`;
// Aborted if it wasn't; Unknown if that can't be told now.
absl::StatusOr<uint64_t> read_back(MetadataStore& store, const VersionedJobRecord& expected,
                                   const pb::JobRecord& record);

}  // namespace weir
