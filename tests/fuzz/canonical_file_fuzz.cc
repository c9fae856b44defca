// A canonical file of keyed state that was altered: a task restores from it, or refuses it.
// Input: 1 = the file is given its checksums, the file.
#include <xxhash.h>

#include <cstring>

#include "common/check.h"
#include "taskmanager/state/hashmap_backend.h"
#include "taskmanager/state/restore.h"
#include "taskmanager/state/testing/memory_storage.h"
#include "tests/fuzz/canonical_fixture.h"
#include "tests/fuzz/fuzz_input.h"
#include "weir/state/testing/map_backend.h"

namespace weir {
namespace {

// Layout: docs/formats.md, "Keyed state".
constexpr size_t kStartBytes = 16;
constexpr size_t kHeaderLengthAt = 12;
constexpr size_t kChecksumBytes = 8;
constexpr size_t kTrailerBytes = 28;
constexpr size_t kIndexedBytes = 12;  // of the trailer
constexpr size_t kBlockBytes = 26;
constexpr size_t kBlockOffsetAt = 6;
constexpr size_t kBlockLengthAt = 14;
constexpr size_t kBlockChecksumAt = 18;

template <typename T>
size_t number_at(const std::string& file, size_t at) {
  T number;
  std::memcpy(&number, file.data() + at, sizeof(number));
  return number;
}

// REQUIRES: both ranges are in the file.
void put_checksum(std::string& file, size_t begin, size_t end, size_t at) {
  const std::uint64_t checksum = XXH3_64bits(file.data() + begin, end - begin);
  std::memcpy(file.data() + at, &checksum, sizeof(checksum));
}

void mend_index(std::string& file) {
  const size_t trailer = file.size() - kTrailerBytes;
  const auto index = number_at<std::uint64_t>(file, trailer);
  const auto blocks = number_at<std::uint32_t>(file, trailer + 8);
  if (index > trailer || trailer - index != blocks * kBlockBytes) return;
  for (size_t entry = index; entry < trailer; entry += kBlockBytes) {
    const auto offset = number_at<std::uint64_t>(file, entry + kBlockOffsetAt);
    const auto length = number_at<std::uint32_t>(file, entry + kBlockLengthAt);
    if (offset > index || length > index - offset) continue;
    put_checksum(file, offset, offset + length, entry + kBlockChecksumAt);
  }
  put_checksum(file, index, trailer + kIndexedBytes, trailer + kIndexedBytes);
}

std::string with_checksums(std::string_view bytes) {
  std::string file(bytes);
  if (file.size() < kStartBytes + kChecksumBytes + kTrailerBytes) return file;
  mend_index(file);
  const size_t header_end = kStartBytes + number_at<std::uint32_t>(file, kHeaderLengthAt);
  if (header_end <= file.size() - kChecksumBytes) put_checksum(file, 0, header_end, header_end);
  return file;
}

void restore(std::string file) {
  static HashMapBackend backend;
  fuzz::CanonicalState state(backend.state_backend());
  pb::KeyedStateHandle handle = describe_state(state.state());
  handle.set_format(pb::KeyedStateHandle::CANONICAL);
  pb::KeyedStateHandle::File& named = *handle.add_files();
  named.set_path("f");
  named.set_size_bytes(file.size());
  MemoryStorage storage;
  storage.files["f"] = std::move(file);
  const RestoreSource sources[] = {{.handle = &handle, .storage = &storage, .own = false}};
  if (!backend.restore(state.state(), sources, /*allow_non_restored_state=*/true).ok()) return;
  // What was taken can be handed out again.
  RecordingOutput output;
  state.state().begin_snapshot(output);
  while (!state.state().snapshot_some(100)) {
  }
  WEIR_CHECK(output.finished);
}

}  // namespace
}  // namespace weir

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::fuzz::FuzzInput input(data, size);
  const bool mends = input.byte() % 2 == 1;
  weir::restore(mends ? weir::with_checksums(input.rest()) : std::string(input.rest()));
  return 0;
}
