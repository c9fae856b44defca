# Language level, warnings, sanitizers and build speed. Every target of the project gets these.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")      # checks stay on: NDEBUG isn't defined
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")

set(WEIR_SANITIZER "" CACHE STRING "address,undefined or thread; empty for none")
if(WEIR_SANITIZER)
  add_compile_options(-fsanitize=${WEIR_SANITIZER} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${WEIR_SANITIZER})
endif()
if(WEIR_SANITIZER MATCHES "thread")
  # By this macro of g++, protobuf's headers give map fields two more members than the installed
  # library knows. The standard library's own one stays.
  add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
endif()

# What every test runs with.
set(WEIR_TEST_ENVIRONMENT "")
if(WEIR_SANITIZER MATCHES "thread")
  # gRPC, protobuf and Abseil aren't instrumented: what happens inside them isn't judged.
  set(WEIR_TEST_ENVIRONMENT
      "LD_PRELOAD=${CMAKE_BINARY_DIR}/lib/libweir-c11-threads.so"
      "TSAN_OPTIONS=halt_on_error=1 ignore_noninstrumented_modules=1 suppressions=${CMAKE_SOURCE_DIR}/tests/sanitizers/tsan.supp")
elseif(WEIR_SANITIZER MATCHES "address")
  set(WEIR_TEST_ENVIRONMENT
      "ASAN_OPTIONS=halt_on_error=1" "UBSAN_OPTIONS=halt_on_error=1 print_stacktrace=1")
endif()

# Applied by weir_library, weir_program and weir_test (WeirTargets.cmake), so that generated code
# is left alone.
set(WEIR_WARNINGS -Wall -Wextra -Werror -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND WEIR_WARNINGS -Wno-maybe-uninitialized)  # g++ 12 reports empty std::functions, at -O2
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # What a designated initializer leaves out is meant to be zero.
  list(APPEND WEIR_WARNINGS -Wthread-safety -Wno-missing-designated-field-initializers)
endif()

find_program(WEIR_CCACHE ccache)
if(WEIR_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 ${WEIR_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
find_program(WEIR_MOLD mold)
if(WEIR_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
