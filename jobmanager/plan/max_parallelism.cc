#include "jobmanager/plan/max_parallelism.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "weir/key_group.h"

namespace weir {

namespace {

constexpr int32_t kDefaultMaxParallelism = 128;

const pb::JobGraph::Node& widest_node(const pb::JobGraph& graph) {
  return *std::max_element(
      graph.nodes().begin(), graph.nodes().end(),
      [](const auto& a, const auto& b) { return a.parallelism() < b.parallelism(); });
}

}  // namespace

absl::Status check_parallelism(const pb::JobGraph& graph, int32_t max_parallelism,
                               std::string_view remedy) {
  const pb::JobGraph::Node& widest = widest_node(graph);
  if (widest.parallelism() <= max_parallelism) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "'", widest.name(), "' has parallelism ", widest.parallelism(), ", more than the job's ",
      max_parallelism,
      " key groups (pipeline.max-parallelism): ", absl::string_view(remedy.data(), remedy.size())));
}

int32_t default_max_parallelism(const pb::JobGraph& graph) {
  const auto parallelism =
      static_cast<uint32_t>(std::min(widest_node(graph).parallelism(), kMaxParallelismLimit));
  const auto rounded = static_cast<int32_t>(std::bit_ceil(parallelism + parallelism / 2));
  return std::clamp(rounded, kDefaultMaxParallelism, kMaxParallelismLimit);
}

absl::StatusOr<int32_t> fix_max_parallelism(const pb::JobGraph& graph, int32_t wanted,
                                            const pb::CheckpointManifest* restored) {
  if (wanted < 0 || wanted > kMaxParallelismLimit) {
    return absl::InvalidArgumentError(absl::StrCat("pipeline.max-parallelism is ", wanted,
                                                   ": give 1 to ", kMaxParallelismLimit,
                                                   ", or 0 to have it chosen"));
  }
  const int32_t kept = restored == nullptr ? 0 : restored->max_parallelism();
  if (kept > 0 && wanted > 0 && wanted != kept) {
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint's keyed state has ", kept, " key groups and the job wants ",
                     wanted, ": set pipeline.max-parallelism to ", kept, ", or don't set it"));
  }
  const int32_t fixed = kept > 0 ? kept : wanted > 0 ? wanted : default_max_parallelism(graph);
  const absl::Status fits = check_parallelism(
      graph, fixed,
      kept > 0 ? "state that is restored keeps them, lower the parallelism"
               : "raise that before the job's first run, or lower the parallelism");
  if (!fits.ok()) return fits;
  return fixed;
}

}  // namespace weir
