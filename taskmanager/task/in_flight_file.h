#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace weir {

// The payload of a checksummed file with records in flight: pieces of several streams, each piece
// with its stream's number. Layout: docs/formats.md, "Records in flight".
class InFlightFile {
 public:
  InFlightFile();

  void add(int stream, std::string_view bytes);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Appends what the file has of the stream. DataLoss says what is wrong with the file.
absl::Status append_stream(std::string_view file, int stream, std::string& bytes);

}  // namespace weir
