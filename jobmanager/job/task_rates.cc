#include "jobmanager/job/task_rates.h"

#include <cstdint>

namespace weir {

std::optional<pb::TaskRates> rates_between(const pb::TaskMetrics& earlier,
                                           const pb::TaskMetrics& later) {
  const auto grown = [&](uint64_t (pb::TaskMetrics::*figure)() const) {
    const uint64_t before = (earlier.*figure)();
    const uint64_t after = (later.*figure)();
    return after > before ? static_cast<double>(after - before) : 0.0;
  };
  const double busy_ms = grown(&pb::TaskMetrics::busy_ms);
  const double idle_ms = grown(&pb::TaskMetrics::idle_ms);
  const double backpressured_ms = grown(&pb::TaskMetrics::backpressured_ms);
  const double seconds = (busy_ms + idle_ms + backpressured_ms) / 1000;
  if (seconds == 0) return std::nullopt;
  pb::TaskRates rates;
  rates.set_busy_ms(busy_ms / seconds);
  rates.set_idle_ms(idle_ms / seconds);
  rates.set_backpressured_ms(backpressured_ms / seconds);
  rates.set_records_in(grown(&pb::TaskMetrics::records_in) / seconds);
  rates.set_records_out(grown(&pb::TaskMetrics::records_out) / seconds);
  rates.set_bytes_in(grown(&pb::TaskMetrics::bytes_in) / seconds);
  rates.set_bytes_out(grown(&pb::TaskMetrics::bytes_out) / seconds);
  return rates;
}

}  // namespace weir
