#include "taskmanager/task/in_flight_file.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace weir {
namespace {

constexpr std::string_view kMagic = "WEIRFLOW";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 12;
constexpr size_t kPieceHeaderBytes = 8;

// x86-64 and AArch64 are little-endian: a number is copied as it is.
void append_number(std::string& bytes, uint32_t number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}
uint32_t read_number(std::string_view bytes, size_t at) {
  uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

}  // namespace

InFlightFile::InFlightFile() : bytes_(kMagic) {
  append_number(bytes_, kVersion);
}

void InFlightFile::add(int stream, std::string_view bytes) {
  append_number(bytes_, static_cast<uint32_t>(stream));
  append_number(bytes_, static_cast<uint32_t>(bytes.size()));
  bytes_.append(bytes);
}

absl::Status append_stream(std::string_view file, int stream, std::string& bytes) {
  if (file.size() < kHeaderBytes || !file.starts_with(kMagic)) {
    return absl::DataLossError("isn't a file of records in flight");
  }
  if (const uint32_t version = read_number(file, kMagic.size()); version != kVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("has version ", version, " of records in flight, this Weir reads ", kVersion));
  }
  for (file.remove_prefix(kHeaderBytes); !file.empty();) {
    if (file.size() < kPieceHeaderBytes) return absl::DataLossError("ends within a piece");
    const uint32_t piece_of = read_number(file, 0);
    const uint32_t size = read_number(file, sizeof(piece_of));
    file.remove_prefix(kPieceHeaderBytes);
    if (file.size() < size) return absl::DataLossError("ends within a piece");
    if (piece_of == static_cast<uint32_t>(stream)) bytes.append(file.substr(0, size));
    file.remove_prefix(size);
  }
  return absl::OkStatus();
}

}  // namespace weir
