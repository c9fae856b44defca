#include "jobmanager/rest/statistics_json.h"

#include <algorithm>
#include <numeric>

namespace weir::rest {

namespace {

// The estimate that Flink uses: at p · (n + 1) of the sorted values, interpolated.
double percentile(const std::vector<int64_t>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() + 1);
  if (position < 1) return static_cast<double>(sorted.front());
  const auto below = static_cast<size_t>(position);
  if (below >= sorted.size()) return static_cast<double>(sorted.back());
  const auto low = static_cast<double>(sorted[below - 1]);
  const auto high = static_cast<double>(sorted[below]);
  return low + (position - static_cast<double>(below)) * (high - low);
}

int64_t sum(const std::vector<int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

int64_t average(const std::vector<int64_t>& values) {
  return values.empty() ? 0 : sum(values) / static_cast<int64_t>(values.size());
}

}  // namespace

Json distribution(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  const auto show = [&](double p) -> Json {
    return values.empty() ? Json("NaN") : Json(percentile(values, p));
  };
  return {{"min", values.empty() ? 0 : values.front()},
          {"max", values.empty() ? 0 : values.back()},
          {"avg", average(values)},
          {"p50", show(0.5)},
          {"p90", show(0.9)},
          {"p95", show(0.95)},
          {"p99", show(0.99)},
          {"p999", show(0.999)}};
}

Json aggregate(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  const auto show = [&](double p) {
    return values.empty() ? 0 : static_cast<int64_t>(percentile(values, p));
  };
  return {{"p25", show(0.25)},
          {"min", values.empty() ? 0 : values.front()},
          {"avg", average(values)},
          {"median", show(0.5)},
          {"max", values.empty() ? 0 : values.back()},
          {"sum", sum(values)},
          {"p95", show(0.95)},
          {"p75", show(0.75)}};
}

}  // namespace weir::rest
