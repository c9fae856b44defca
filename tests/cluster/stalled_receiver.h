#pragma once

#include <chrono>

namespace weir::cluster_test {

// A job on two TaskManagers whose second one takes no record for `stall`, while there is input for
// all of that time. Fails the test if the memory of either of them grows meanwhile, or if a record
// is lost or repeated.
void run_stalled_receiver(std::chrono::milliseconds stall);

}  // namespace weir::cluster_test
