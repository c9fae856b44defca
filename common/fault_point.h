#pragma once

// Named places in production code where a test makes the process die, stop, wait or fail:
//
//   WEIR_FAULT_POINT("sink.flushed_not_acked");
//   WEIR_RETURN_IF_ERROR(WEIR_FAULT_POINT_STATUS("checkpoint_storage.before_fsync"));
//
// Off unless the environment says WEIR_FAULT=name=action[:argument][@n][,…]
//   kill[:MS]     SIGKILL to itself, MS ms later     delay:MS      sleeps
//   stop[:MS]     SIGSTOP to itself, MS ms later     error[:TEXT]  WEIR_FAULT_POINT_STATUS returns
//                                                                  a status
// at the n-th hit (default the first), once. With WEIR_FAULT_ARMED_BY=path hits count only from
// when that file exists. Before it acts the line `fault point NAME hit N action` is written to
// stderr and, with WEIR_FAULT_LOG=path, appended to that file and fsynced. Off, a fault point costs
// one relaxed load.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace weir {

// Reads the environment; main calls it first and ends with the message if it isn't OK. A name that
// no loaded code has yet is only warned about, with the nearest name: a connector loaded later may
// bring it.
absl::Status fault_points_init();

// The same from text, for tests. An empty `spec` turns all off and forgets the counts.
absl::Status fault_points_configure(std::string_view spec, std::string_view log_path,
                                    std::string_view armed_by = "");

// Every name compiled into what is loaded, sorted.
std::vector<std::string> fault_point_names();

namespace fault_point_internal {

extern std::atomic<bool> enabled;
void hit(const char* name);
absl::Status hit_status(const char* name);
bool register_name(const char* name);

template <size_t kSize>
struct Name {
  char text[kSize];
  consteval Name(const char (&name)[kSize]) { std::copy_n(name, kSize, text); }  // NOLINT: implicit
};

// One registration per name, made when the program or library that holds the fault point is loaded.
template <Name kName>
struct Registered {
  static inline const bool done = register_name(kName.text);
};

}  // namespace fault_point_internal
}  // namespace weir

#define WEIR_FAULT_POINT(name)                                                              \
  do {                                                                                      \
    (void)::weir::fault_point_internal::Registered<name>::done;                             \
    if (::weir::fault_point_internal::enabled.load(std::memory_order_relaxed)) [[unlikely]] \
      ::weir::fault_point_internal::hit(name);                                              \
  } while (false)

#define WEIR_FAULT_POINT_STATUS(name)                                    \
  ((void)::weir::fault_point_internal::Registered<name>::done,           \
   ::weir::fault_point_internal::enabled.load(std::memory_order_relaxed) \
       ? ::weir::fault_point_internal::hit_status(name)                  \
       : absl::OkStatus())
