#include "taskmanager/task/restored_records.h"

#include "taskmanager/task/element_reader.h"
#include "taskmanager/task/in_flight_file.h"

namespace weir {
namespace {

[[noreturn]] void refuse_file(const std::string& address, const absl::Status& status) {
  throw Error("can't restore records in flight: " + address + ": " + std::string(status.message()));
}

}  // namespace

size_t RestoredRecords::feed(size_t records_max) {
  if (rest_.empty()) load(channels_[next_++].channel);
  while (!rest_.empty() && records_.size() < records_max) {
    if (const auto record = record_of(take_element(rest_))) records_.push_back(*record);
  }
  const size_t fed = records_.size();
  if (fed > 0) channels_[next_ - 1].receiver->receive(records_);
  records_.clear();
  return fed;
}

void RestoredRecords::load(const RestoredChannel& channel) {
  bytes_.clear();
  for (const RestoredChannel::Part& part : channel.parts) {
    for (const std::string& address : part.files) {
      const absl::Status appended = append_stream(file(address), part.stream, bytes_);
      if (!appended.ok()) refuse_file(address, appended);
    }
  }
  rest_ = bytes_;
}

const std::string& RestoredRecords::file(const std::string& address) {
  if (address == file_address_) return file_;
  const auto place = storages_.open(address, 2);
  if (!place.ok()) refuse_file(address, place.status());
  auto read = place->storage->read(place->path);
  if (!read.ok()) refuse_file(address, read.status());
  file_ = *std::move(read);
  file_address_ = address;
  return file_;
}

}  // namespace weir
