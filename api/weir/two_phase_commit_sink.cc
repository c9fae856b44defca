#include "weir/two_phase_commit_sink.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace weir::internal {

std::string transaction_id_prefix(const RuntimeContext& context) {
  return context.job_id() + "-" + context.uid() + "-";
}

void retry_until_cancelled(RuntimeContext& context, const std::string& what,
                           const std::function<void()>& action) {
  constexpr std::chrono::milliseconds kWaitMax(1000);
  std::chrono::milliseconds wait(10);
  for (;;) {
    std::string cause;
    try {
      action();
      return;
    } catch (const TransactionLost&) {
      throw;
    } catch (const std::exception& error) {
      cause = error.what();
    }
    if (context.cancelled()) throw Error("cancelled while " + what + ": " + cause);
    std::this_thread::sleep_for(wait);
    wait = std::min(2 * wait, kWaitMax);
  }
}

}  // namespace weir::internal
