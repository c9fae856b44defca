#include "taskmanager/state/canonical_writer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/status.h"
#include "taskmanager/state/canonical_file.h"

namespace weir {

CanonicalWriter::CanonicalWriter(SnapshotTarget target, pb::KeyedStateHandle description,
                                 std::shared_ptr<LocalCopies> copies)
    : target_(std::move(target)),
      copies_(target_.savepoint ? nullptr : std::move(copies)),
      handle_(std::move(description)) {
  handle_.set_format(pb::KeyedStateHandle::CANONICAL);
}

absl::Status CanonicalWriter::write(EntryBuffer entries) {
  pb::KeyedStateFileHeader header;
  header.set_max_parallelism(handle_.max_parallelism());
  *header.mutable_tables() = handle_.tables();
  entries.sort();
  const std::string bytes = encode_canonical_file(header, entries);
  WEIR_RETURN_IF_ERROR(WEIR_FAULT_POINT_STATUS("keyed_state.before_write"));
  const std::string path =
      absl::StrCat(target_.folder, "/", target_.name, "-", handle_.files_size());
  WEIR_RETURN_IF_ERROR(target_.storage->write_atomically(path, bytes));
  if (copies_ != nullptr) {
    copies_->write(target_.checkpoint_id, target_.storage->url_of(path), bytes);
  }
  pb::KeyedStateHandle::File& file = *handle_.add_files();
  file.set_path(path);
  file.set_size_bytes(bytes.size());
  return absl::OkStatus();
}

}  // namespace weir
