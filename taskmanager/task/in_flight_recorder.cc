#include "taskmanager/task/in_flight_recorder.h"

#include <atomic>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fault_point.h"
#include "common/status.h"
#include "taskmanager/task/in_flight_file.h"

namespace weir {
namespace {

constexpr size_t kFileBytes = 1 << 20;

std::string_view view(const InFlightRecorder::Bytes& bytes) {
  if (const Buffer* buffer = std::get_if<Buffer>(&bytes)) return buffer->bytes();
  return std::get<std::string>(bytes);
}

}  // namespace

// What one checkpoint has of records in flight.
class InFlightRecorder::Recording {
 public:
  Recording(absl::StatusOr<StateStorages::Place> place, std::string name)
      : name_(std::move(name)), status_(place.status()) {
    if (place.ok()) place_ = *std::move(place);
    handle_.set_format_version(1);
  }

  // Task's thread.
  int number_of(const Stream& stream, size_t bytes) {
    const auto key =
        std::tuple(stream.producer(), stream.output(), stream.consumer(), stream.producer_subtask(),
                   stream.consumer_subtask(), stream.at_producer());
    const auto [found, added] = numbers_.try_emplace(key, handle_.streams_size());
    if (added) *handle_.add_streams() = stream;
    Stream& known = *handle_.mutable_streams(found->second);
    known.set_bytes(known.bytes() + bytes);
    return found->second;
  }
  pb::InFlightHandle streams() const { return handle_; }
  void drop() { dropped_ = true; }

  // The writer's thread.
  void add(int stream, const Bytes& bytes) {
    if (!status_.ok() || dropped_) return;
    file_.add(stream, view(bytes));
    empty_ = false;
    if (file_.bytes().size() >= kFileBytes) status_ = write();
  }
  absl::StatusOr<pb::InFlightHandle> finish(pb::InFlightHandle handle) {
    if (status_.ok() && !dropped_ && !empty_) status_ = write();
    if (!status_.ok()) return Annotate(status_, "can't store records in flight");
    for (pb::InFlightHandle::File& file : files_) *handle.add_files() = std::move(file);
    return handle;
  }

 private:
  absl::Status write() {
    WEIR_RETURN_IF_ERROR(WEIR_FAULT_POINT_STATUS("in_flight.before_write"));
    const std::string path = absl::StrCat(place_.path, "/", name_, "-", files_.size());
    WEIR_RETURN_IF_ERROR(place_.storage->write_atomically(path, file_.bytes()));
    pb::InFlightHandle::File& file = files_.emplace_back();
    file.set_path(place_.storage->url_of(path));
    file.set_size_bytes(file_.bytes().size());
    file_ = InFlightFile();
    empty_ = true;
    return absl::OkStatus();
  }

  const std::string name_;
  StateStorages::Place place_;

  std::map<std::tuple<std::string, int, std::string, int, int, bool>, int> numbers_;
  pb::InFlightHandle handle_;  // without its files
  std::atomic<bool> dropped_{false};

  absl::Status status_;
  InFlightFile file_;
  bool empty_ = true;  // of file_
  std::vector<pb::InFlightHandle::File> files_;
};

InFlightRecorder::InFlightRecorder(std::string name, OnStored on_stored)
    : name_(std::move(name)), on_stored_(std::move(on_stored)), writer_({.name = "in-flight"}) {
  writer_.start();
}

InFlightRecorder::~InFlightRecorder() {
  writer_.shutdown(Mailbox::Pending::kDrop);
}

InFlightRecorder::Recording& InFlightRecorder::recording_of(const CheckpointTrigger& trigger) {
  std::shared_ptr<Recording>& recording = recordings_[trigger.checkpoint];
  if (recording == nullptr) {
    recording = std::make_shared<Recording>(storages_.open(trigger.folder, 1), name_);
  }
  return *recording;
}

void InFlightRecorder::record(const CheckpointTrigger& trigger, const Stream& stream, Bytes bytes) {
  if (view(bytes).empty()) return;
  const int number = recording_of(trigger).number_of(stream, view(bytes).size());
  writer_.post([recording = recordings_[trigger.checkpoint], number, bytes = std::move(bytes)] {
    recording->add(number, bytes);
  });
}

void InFlightRecorder::finish(const CheckpointTrigger& trigger) {
  recording_of(trigger);
  const std::shared_ptr<Recording> recording =
      std::move(recordings_.extract(trigger.checkpoint).mapped());
  writer_.post([this, checkpoint = trigger.checkpoint, recording, handle = recording->streams()] {
    on_stored_(checkpoint, recording->finish(handle));
  });
}

void InFlightRecorder::drop(CheckpointId checkpoint) {
  if (auto recording = recordings_.extract(checkpoint)) recording.mapped()->drop();
}

}  // namespace weir
