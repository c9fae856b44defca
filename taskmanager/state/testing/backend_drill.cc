#include "taskmanager/state/testing/backend_drill.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_matchers.h"

namespace weir {

struct BackendDrill::Model {
  std::map<std::int64_t, std::string> values;
  std::map<std::pair<std::int64_t, std::string>, std::int64_t> maps;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> windows;  // window, key
  std::set<std::pair<Timestamp, std::int64_t>> timers;                    // time, key
};

struct BackendDrill::Subtask {
  Subtask(std::unique_ptr<KeyedStateBackend> its_backend, KeyGroupRange range)
      : backend(std::move(its_backend)),
        state(backend->state_backend(), range, kMaxParallelism),
        value(state.get_state(ValueStateDescriptor<std::string>("value"))),
        map(state.get_map_state(MapStateDescriptor<std::string, std::int64_t>("map"))),
        windows(state.namespaced_state<std::int64_t>("windows")),
        timers(state.timers("timers")) {}

  std::unique_ptr<KeyedStateBackend> backend;
  KeyedState<std::int64_t> state;
  ValueState<std::string> value;
  MapState<std::string, std::int64_t> map;
  NamespacedState<std::int64_t, std::int64_t> windows;
  TimerQueue<std::int64_t>& timers;
};

struct BackendDrill::Done {
  std::promise<absl::StatusOr<pb::KeyedStateHandle>> promise;
  std::future<absl::StatusOr<pb::KeyedStateHandle>> future = promise.get_future();
};

BackendDrill::BackendDrill(int seed, Factory factory, int keys)
    : random_(static_cast<unsigned>(seed)),
      factory_(std::move(factory)),
      keys_(keys),
      model_(std::make_unique<Model>()),
      durable_(std::make_unique<Model>()) {
  open(2);
}

BackendDrill::~BackendDrill() = default;

void BackendDrill::open(int parallelism) {
  subtasks_.clear();
  ++attempt_;
  for (int i = 0; i < parallelism; ++i) {
    subtasks_.push_back(
        std::make_unique<Subtask>(factory_(i), key_group_range(i, parallelism, kMaxParallelism)));
  }
}

BackendDrill::Subtask& BackendDrill::subtask_of_key(std::int64_t key) {
  const int group = key_group_of(hash_key<std::int64_t>(key), kMaxParallelism);
  Subtask& subtask = *subtasks_[static_cast<std::size_t>(
      subtask_of(group, static_cast<int>(subtasks_.size()), kMaxParallelism))];
  subtask.state.set_current_key(key);
  return subtask;
}

void BackendDrill::run(int rounds) {
  for (int round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    for (std::size_t i = pick(600); i > 0; --i) write();
    checkpoint(false);
    if (pick(3) == 0) restart(1 + static_cast<int>(pick(4)));
    if (pick(3) == 0) check();
  }
  check();
}

void BackendDrill::move_to(Factory factory) {
  checkpoint(true);
  factory_ = std::move(factory);
  restart(1 + static_cast<int>(pick(4)));
}

void BackendDrill::write() {
  const auto key = static_cast<std::int64_t>(pick(static_cast<std::size_t>(keys_)));
  Subtask& subtask = subtask_of_key(key);
  const auto window = static_cast<std::int64_t>(pick(5));
  const std::string user_key = std::to_string(pick(4));
  switch (pick(9)) {
    case 0:
      subtask.value.clear();
      model_->values.erase(key);
      break;
    case 1:
      subtask.map.clear();
      std::erase_if(model_->maps, [&](const auto& entry) { return entry.first.first == key; });
      break;
    case 2:
      subtask.map.remove(user_key);
      model_->maps.erase({key, user_key});
      break;
    case 3:
      subtask.map.put(user_key,
                      model_->maps[{key, user_key}] = static_cast<std::int64_t>(random_()));
      break;
    case 4:
      subtask.windows.update(window, [](std::int64_t& sum, bool) { ++sum; });
      ++model_->windows[{window, key}];
      break;
    case 5:
      subtask.timers.register_timer(window);
      model_->timers.insert({window, key});
      break;
    case 6:
      subtask.timers.delete_timer(window);
      model_->timers.erase({window, key});
      break;
    case 7:
      if (pick(100) > 0) break;
      for (auto& each : subtasks_) each->windows.drop(window);
      std::erase_if(model_->windows,
                    [&](const auto& entry) { return entry.first.first == window; });
      break;
    default:
      subtask.value.update(model_->values[key] =
                               std::string(pick(100), 'v') + std::to_string(random_()));
  }
}

void BackendDrill::checkpoint(bool savepoint) {
  ++checkpoint_id_;
  auto at_barrier = std::make_unique<Model>(*model_);
  std::vector<std::shared_ptr<Done>> parts;
  for (std::size_t i = 0; i < subtasks_.size(); ++i) {
    auto part = std::make_shared<Done>();
    parts.push_back(part);
    subtasks_[i]->backend->begin_snapshot(
        subtasks_[i]->state,
        {.storage = &storage_,
         .folder = absl::StrCat(savepoint ? "sp/chk-" : "job/chk-", checkpoint_id_),
         .shared_folder = "job/shared",
         .name = absl::StrCat("count-", i, "-", attempt_),
         .checkpoint_id = checkpoint_id_,
         .canonical = savepoint,
         .savepoint = savepoint},
        [part](absl::StatusOr<pb::KeyedStateHandle> handle) {
          part->promise.set_value(std::move(handle));
        });
  }
  if (!savepoint && pick(6) == 0) {
    for (std::size_t i = pick(100); i > 0; --i) write();
    for (auto& subtask : subtasks_) subtask->backend->abandon_snapshot(subtask->state);
    return delete_files();
  }
  const bool storage_is_full = !savepoint && pick(8) == 0;
  if (storage_is_full) storage_.set_write_error(absl::ResourceExhaustedError("no space left"));
  for (auto& subtask : subtasks_) {
    while (!subtask->state.snapshot_some(1 + pick(50))) {
      for (std::size_t i = pick(20); i > 0; --i) write();
    }
  }
  for (std::size_t i = pick(100); i > 0; --i) write();
  if (storage_is_full) {
    for (const auto& part : parts) {
      const absl::Status status = part->future.get().status();
      EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    }
    storage_.set_write_error(absl::OkStatus());
    return delete_files();
  }
  complete(parts, std::move(at_barrier));
  if (savepoint) return;
  delete_files();
}

void BackendDrill::complete(const std::vector<std::shared_ptr<Done>>& parts,
                            std::unique_ptr<Model> at_barrier) {
  std::vector<pb::KeyedStateHandle> handles;
  for (const auto& part : parts) {
    absl::StatusOr<pb::KeyedStateHandle> handle = part->future.get();
    ASSERT_THAT(handle, IsOk());
    for (const auto& file : handle->files()) {
      ASSERT_EQ(storage_.files.count(file.path()), 1u) << file.path();
      ASSERT_EQ(storage_.files[file.path()].size(), file.size_bytes());
      ASSERT_EQ(file.shared(), absl::StartsWith(file.path(), "job/shared/")) << file.path();
    }
    handles.push_back(*std::move(handle));
  }
  if (pick(5) == 0 && handles[0].files_size() > 0 &&
      !absl::StartsWith(handles[0].files(0).path(), "sp/")) {
    return;  // aborted by the JobManager
  }
  handles_ = std::move(handles);
  durable_ = std::move(at_barrier);
  for (auto& subtask : subtasks_) subtask->backend->checkpoint_completed(checkpoint_id_);
}

void BackendDrill::delete_files() {
  std::set<std::string> named;
  for (const auto& handle : handles_) {
    for (const auto& file : handle.files()) named.insert(file.path());
  }
  std::erase_if(storage_.files, [&](const auto& file) { return !named.contains(file.first); });
}

void BackendDrill::restart(int parallelism) {
  *model_ = *durable_;
  open(parallelism);
  std::vector<RestoreSource> sources;
  for (const auto& handle : handles_) {
    sources.push_back({.handle = &handle, .storage = &storage_, .own = pick(4) != 0});
  }
  for (auto& subtask : subtasks_) {
    ASSERT_THAT(subtask->backend->restore(subtask->state, sources, false), IsOk());
  }
}

void BackendDrill::check() {
  for (std::int64_t key = 0; key < keys_; ++key) {
    Subtask& subtask = subtask_of_key(key);
    const auto value = model_->values.find(key);
    ASSERT_EQ(subtask.value.value_or("none"),
              value == model_->values.end() ? "none" : value->second)
        << key;
    for (int i = 0; i < 4; ++i) {
      const auto entry = model_->maps.find({key, std::to_string(i)});
      const std::int64_t* found = subtask.map.get(std::to_string(i));
      ASSERT_EQ(found != nullptr, entry != model_->maps.end()) << key;
      if (found != nullptr) {
        ASSERT_EQ(*found, entry->second);
      }
    }
  }
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> windows;
  std::size_t timers = 0;
  for (auto& subtask : subtasks_) {
    for (std::int64_t window = 0; window < 5; ++window) {
      subtask->windows.for_each(
          window, [&](std::int64_t key, std::int64_t sum) { windows[{window, key}] = sum; });
    }
    timers += subtask->timers.size();
  }
  ASSERT_EQ(windows, model_->windows);
  ASSERT_EQ(timers, model_->timers.size());
}

}  // namespace weir
