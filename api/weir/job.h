// The entry point of a job library.
#pragma once

#include "weir/args.h"
#include "weir/environment.h"

// The compiler, standard library, build type and sanitizer that a library was built with. A job and
// the program that loads it must have the same, or the types they share differ in layout.
#define WEIR_STRINGIFY_(x) #x
#define WEIR_STRINGIFY(x) WEIR_STRINGIFY_(x)
#define WEIR_API_VERSION "1"
#if defined(__clang__)
#define WEIR_COMPILER "clang-" WEIR_STRINGIFY(__clang_major__)
#else
#define WEIR_COMPILER "gcc-" WEIR_STRINGIFY(__GNUC__)
#endif
#define WEIR_STANDARD_LIBRARY "libstdc++-cxx11abi" WEIR_STRINGIFY(_GLIBCXX_USE_CXX11_ABI)
#if defined(__has_feature)
#define WEIR_HAS_FEATURE(feature) __has_feature(feature)
#else
#define WEIR_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || WEIR_HAS_FEATURE(address_sanitizer)
#define WEIR_SANITIZED "address"
#elif defined(__SANITIZE_THREAD__) || defined(_GLIBCXX_TSAN) || WEIR_HAS_FEATURE(thread_sanitizer)
#define WEIR_SANITIZED "thread"
#else
#define WEIR_SANITIZED "none"
#endif
#ifdef _GLIBCXX_ASSERTIONS
#define WEIR_BUILD_TYPE "assertions"
#else
#define WEIR_BUILD_TYPE "plain"
#endif
#define WEIR_ABI_STAMP                                                                      \
  "weir-api=" WEIR_API_VERSION " compiler=" WEIR_COMPILER " library=" WEIR_STANDARD_LIBRARY \
  " build=" WEIR_BUILD_TYPE " sanitizer=" WEIR_SANITIZED

#define WEIR_JOB_ENTRY_SYMBOL "weir_job_entry"
#define WEIR_JOB_STAMP_SYMBOL "weir_job_abi_stamp"

// Defines the job:
//
//   WEIR_JOB(env, args) {
//     env.enable_checkpointing(5s);
//     env.from_source(…).map(…).sink_to(…);
//   }
//
// The body runs in the client and once in every subtask: it must build the same streams each time
// and do no I/O. `env` is a StreamExecutionEnvironment&, `args` an Args&.
#define WEIR_JOB(env, args)                                                          \
  extern "C" __attribute__((visibility("default"))) const char weir_job_abi_stamp[]; \
  const char weir_job_abi_stamp[] = WEIR_ABI_STAMP;                                  \
  extern "C" __attribute__((visibility("default"))) void weir_job_entry(             \
      [[maybe_unused]] ::weir::StreamExecutionEnvironment& env,                      \
      [[maybe_unused]] ::weir::Args& args)
