#include "jobmanager/checkpoint/redistribute_state.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "weir/key_group.h"

namespace weir {

namespace {

using States = std::vector<const pb::OperatorState*>;  // by subtask

States states_of(const pb::CheckpointManifest& checkpoint, const std::string& uid) {
  States states;
  for (const pb::OperatorState& state : checkpoint.operators()) {
    if (state.uid() == uid) states.push_back(&state);
  }
  std::sort(states.begin(), states.end(),
            [](const auto* a, const auto* b) { return a->subtask() < b->subtask(); });
  return states;
}

void add_keyed(const States& states, const RestoringSubtask& to, pb::OperatorState& restored) {
  const KeyGroupRange own = key_group_range(to.subtask, to.parallelism, to.max_parallelism);
  for (const pb::OperatorState* state : states) {
    for (const pb::KeyedStateHandle& handle : state->keyed()) {
      const KeyGroupRange held{handle.first_key_group(), handle.last_key_group()};
      if (intersection(own, held).size() > 0) *restored.add_keyed() = handle;
    }
  }
}

void keep_part(const RestoringSubtask& to, pb::OperatorListState& list) {
  const int64_t items = list.items_size();
  const auto begin = static_cast<int>(items * to.subtask / to.parallelism);
  const auto end = static_cast<int>(items * (to.subtask + 1) / to.parallelism);
  list.mutable_items()->DeleteSubrange(end, list.items_size() - end);
  list.mutable_items()->DeleteSubrange(0, begin);
}

void add_lists(const States& states, bool rescaled, const RestoringSubtask& to,
               pb::OperatorState& restored) {
  std::map<std::string, pb::OperatorListState> lists;
  for (const pb::OperatorState* state : states) {
    for (const pb::OperatorListState& part : state->lists()) {
      const bool split = part.redistribution() == pb::OperatorListState::SPLIT;
      if (split && !rescaled && state->subtask() != to.subtask) continue;
      pb::OperatorListState& list = lists[part.name()];
      list.set_name(part.name());
      list.set_redistribution(part.redistribution());
      list.mutable_items()->MergeFrom(part.items());
    }
  }
  for (auto& [name, list] : lists) {
    const bool split = list.redistribution() == pb::OperatorListState::SPLIT;
    if (split && rescaled) keep_part(to, list);
    *restored.add_lists() = std::move(list);
  }
}

bool is_of(const RestoringEdge& edge, const pb::InFlightHandle::Stream& stream) {
  return stream.producer() == edge.producer && stream.output() == edge.output &&
         stream.consumer() == edge.consumer;
}

bool goes_to(const pb::InFlightHandle::Stream& stream, const pb::CheckpointManifest& checkpoint,
             const RestoringEdge& edge, const RestoringSubtask& to) {
  if (!edge.by_key) return stream.consumer_subtask() % to.parallelism == to.subtask;
  if (!stream.by_key()) return true;  // the edge has become one: any of its keys may be there
  const auto old_parallelism = checkpoint.parallelism().find(edge.consumer);
  if (old_parallelism == checkpoint.parallelism().end()) return true;
  const KeyGroupRange held = key_group_range(stream.consumer_subtask(), old_parallelism->second,
                                             checkpoint.max_parallelism());
  const KeyGroupRange own = key_group_range(to.subtask, to.parallelism, to.max_parallelism);
  return intersection(own, held).size() > 0;
}

}  // namespace

std::optional<pb::OperatorState> redistribute_state(const pb::CheckpointManifest& checkpoint,
                                                    const std::string& uid,
                                                    const RestoringSubtask& to) {
  const States states = states_of(checkpoint, uid);
  if (states.empty()) return std::nullopt;
  pb::OperatorState restored;
  restored.set_uid(uid);
  restored.set_subtask(to.subtask);
  for (const pb::OperatorState* state : states) {
    if (state->subtask() == to.subtask) restored.set_writer_state(state->writer_state());
  }
  const auto old_parallelism = checkpoint.parallelism().find(uid);
  const bool rescaled = old_parallelism != checkpoint.parallelism().end() &&
                        old_parallelism->second != to.parallelism;
  add_keyed(states, to, restored);
  add_lists(states, rescaled, to, restored);
  return restored;
}

std::vector<pb::RestoredChannel> redistribute_in_flight(const pb::CheckpointManifest& checkpoint,
                                                        const RestoringEdge& edge,
                                                        const RestoringSubtask& to) {
  using Stream = pb::InFlightHandle::Stream;
  std::map<std::pair<int32_t, int32_t>, pb::RestoredChannel> channels;  // by consumer, producer
  const auto add_parts = [&](const pb::InFlightHandle& handle, bool at_producer) {
    for (int i = 0; i < handle.streams_size(); ++i) {
      const Stream& stream = handle.streams(i);
      if (stream.at_producer() != at_producer || !is_of(edge, stream)) continue;
      if (!goes_to(stream, checkpoint, edge, to)) continue;
      pb::RestoredChannel::Part& part =
          *channels[{stream.consumer_subtask(), stream.producer_subtask()}].add_parts();
      part.set_stream(i);
      for (const pb::InFlightHandle::File& file : handle.files()) part.add_files(file.path());
    }
  };
  for (const bool at_producer : {false, true}) {
    for (const pb::OperatorState& state : checkpoint.operators()) {
      if (state.has_in_flight()) add_parts(state.in_flight(), at_producer);
    }
  }
  std::vector<pb::RestoredChannel> restored;
  for (auto& [key, channel] : channels) restored.push_back(std::move(channel));
  return restored;
}

}  // namespace weir
