// How user code and connectors tell the runtime that something failed.
#pragma once

#include <stdexcept>
#include <string>

namespace weir {

// Fails the task; the job restarts by its restart strategy, from its last completed checkpoint. Any
// other exception does the same.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Fails the job without a restart: what is wrong is still wrong after one (a topic that doesn't
// exist, a timeout above the broker's maximum).
class FatalError : public Error {
 public:
  using Error::Error;
};

}  // namespace weir
