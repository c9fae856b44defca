#include "taskmanager/state/restore.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"

namespace weir {
namespace {

constexpr std::uint32_t kHandleVersion = 1;

std::string types_of(const pb::StateTable& table) {
  std::string types =
      absl::StrCat(pb::StateTable::Kind_Name(table.kind()),
                   table.namespaced() ? " by namespace" : "", " of ", table.key_type(), " to ");
  if (!table.user_key_type().empty()) absl::StrAppend(&types, table.user_key_type(), " to ");
  return types + table.value_type();
}

bool same_types(const pb::StateTable& a, const pb::StateTable& b) {
  return a.kind() == b.kind() && a.namespaced() == b.namespaced() && a.key_type() == b.key_type() &&
         a.user_key_type() == b.user_key_type() && a.value_type() == b.value_type();
}

absl::StatusOr<int> match_table(const pb::StateTable& stored,
                                const std::vector<StateTable>& declared,
                                bool allow_non_restored_state) {
  for (std::size_t i = 0; i < declared.size(); ++i) {
    if (declared[i].name != stored.name()) continue;
    const pb::StateTable wanted = to_proto(declared[i]);
    if (same_types(stored, wanted)) return static_cast<int>(i);
    return absl::FailedPreconditionError(absl::StrCat(
        "state '", stored.name(), "' is a ", types_of(stored), " in the checkpoint and a ",
        types_of(wanted), " in the job: keep its types, or give the new state another name"));
  }
  if (allow_non_restored_state) return -1;
  return absl::FailedPreconditionError(absl::StrCat(
      "state '", stored.name(),
      "' is in the checkpoint and the operator doesn't declare it: declare it when it opens, or "
      "drop it with --allowNonRestoredState"));
}

}  // namespace

pb::StateTable to_proto(const StateTable& table) {
  pb::StateTable message;
  message.set_name(table.name);
  message.set_kind(static_cast<pb::StateTable::Kind>(table.kind));
  message.set_namespaced(table.namespaced);
  message.set_key_type(table.key_type);
  message.set_user_key_type(table.user_key_type);
  message.set_value_type(table.value_type);
  return message;
}

pb::KeyedStateHandle describe_state(const KeyedStateBase& state) {
  pb::KeyedStateHandle handle;
  handle.set_format_version(kHandleVersion);
  handle.set_max_parallelism(state.max_parallelism());
  handle.set_first_key_group(state.key_groups().first);
  handle.set_last_key_group(state.key_groups().last);
  for (const StateTable& table : state.tables()) *handle.add_tables() = to_proto(table);
  return handle;
}

absl::StatusOr<std::vector<int>> match_tables(const pb::KeyedStateHandle& handle,
                                              const KeyedStateBase& state,
                                              bool allow_non_restored_state) {
  if (handle.format_version() != kHandleVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "keyed state in the checkpoint has format version ", handle.format_version(),
        ", this build reads version ", kHandleVersion, "; use the Weir that wrote it"));
  }
  if (handle.max_parallelism() != state.max_parallelism()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "keyed state in the checkpoint has ", handle.max_parallelism(), " key groups, the job ",
        state.max_parallelism(), ": set pipeline.max-parallelism to ", handle.max_parallelism()));
  }
  std::vector<int> numbers;
  for (const pb::StateTable& table : handle.tables()) {
    WEIR_ASSIGN_OR_RETURN(const int number,
                          match_table(table, state.tables(), allow_non_restored_state));
    numbers.push_back(number);
  }
  return numbers;
}

KeyGroupRange restored_range(const pb::KeyedStateHandle& handle, const KeyedStateBase& state) {
  return intersection({handle.first_key_group(), handle.last_key_group()}, state.key_groups());
}

void count_restored(const RestoreSource& source, const pb::KeyedStateHandle::File& file,
                    bool from_copy) {
  if (source.files == nullptr) return;
  ++(from_copy ? source.files->local : source.files->stored);
  (from_copy ? source.files->local_bytes : source.files->stored_bytes) += file.size_bytes();
}

void warn_of_copy(const absl::Status& why) {
  if (absl::IsNotFound(why)) return;
  WEIR_LOG_WARN({}, "{}: the checkpoint's storage is read instead", std::string(why.message()));
}

absl::Status read_canonical(const RestoreSource& source, KeyGroupRange range, LocalCopies* copies,
                            CanonicalFile::Visitor visitor) {
  for (const pb::KeyedStateHandle::File& file : source.handle->files()) {
    LocalCopies::Place place{source.storage, file.path()};
    if (copies != nullptr) {
      const auto copy = copies->find_whole(source.storage->url_of(file.path()), file.size_bytes());
      if (copy.ok()) {
        place = *copy;
      } else {
        warn_of_copy(copy.status());
      }
    }
    count_restored(source, file, place.storage != source.storage);
    WEIR_ASSIGN_OR_RETURN(const CanonicalFile opened,
                          CanonicalFile::open(*place.storage, place.path, file.size_bytes()));
    if (opened.header().tables_size() != source.handle->tables_size()) {
      return absl::DataLossError(absl::StrCat("checkpoint file ",
                                              source.storage->url_of(file.path()),
                                              " has other states than the checkpoint says"));
    }
    WEIR_RETURN_IF_ERROR(opened.read(range, visitor));
  }
  return absl::OkStatus();
}

}  // namespace weir
