#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"
#include "taskmanager/state/canonical_file.h"
#include "taskmanager/state/keyed_state_backend.h"
#include "taskmanager/state/local_copies.h"
#include "weir/key_group.h"
#include "weir/state/backend.h"

namespace weir {

pb::StateTable to_proto(const StateTable& table);
// An empty handle of the state: its key groups and tables.
pb::KeyedStateHandle describe_state(const KeyedStateBase& state);

// For each table of a snapshot, by number, the state's table of that name; -1 for one that it
// doesn't declare, if that is allowed. FailedPrecondition for other types, or another number of key
// groups.
absl::StatusOr<std::vector<int>> match_tables(const pb::KeyedStateHandle& handle,
                                              const KeyedStateBase& state,
                                              bool allow_non_restored_state);

// The handle's key groups that the state has.
KeyGroupRange restored_range(const pb::KeyedStateHandle& handle, const KeyedStateBase& state);

// All entries of a canonical handle in the range, with the handle's table numbers. `copies`, if not
// null, is asked for each file before its storage.
absl::Status read_canonical(const RestoreSource& source, KeyGroupRange range, LocalCopies* copies,
                            CanonicalFile::Visitor visitor);

// Counts a file that was restored.
void count_restored(const RestoreSource& source, const pb::KeyedStateHandle::File& file,
                    bool from_copy);
// A copy is there and can't be taken: says so.
void warn_of_copy(const absl::Status& why);

}  // namespace weir
