#pragma once

#include <optional>
#include <string>
#include <utility>

namespace weir {

// Why a task or coordinator failed.
struct Failure {
  std::string cause;
  bool fatal = false;  // the job isn't restarted
};

// The exception being handled, of whatever type. Call it in a catch block only.
Failure current_failure();

// Runs what may throw: code of the job or of a connector. Nothing thrown passes this edge.
template <typename F>
std::optional<Failure> run_user_code(F&& function) {
  try {
    std::forward<F>(function)();
    return std::nullopt;
  } catch (...) {
    return current_failure();
  }
}

}  // namespace weir
