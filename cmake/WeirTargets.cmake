# weir_library(NAME [SHARED] [SOURCES …] [DEPS …])   a library of the project; includes start at the root
# weir_program(NAME OUTPUT [SOURCES …] [DEPS …])     an executable build/bin/OUTPUT
# weir_test(NAME [LABEL unit|simulation|cluster|campaign] [TIMEOUT s] SOURCES … DEPS …)   a GoogleTest
#   program, run whole by ctest under its label (default unit). Tests on real processes count for two
#   processors, so that `ctest -j` doesn't crowd them.

include(GoogleTest)

option(WEIR_BUILD_TESTS "Build the GoogleTest programs" ON)
add_custom_target(unit_tests)  # all programs that `ctest -L '^unit$'` runs

function(weir_library name)
  cmake_parse_arguments(ARG "SHARED" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SHARED)
    add_library(${name} SHARED ${ARG_SOURCES})
  else()
    add_library(${name} STATIC ${ARG_SOURCES})
  endif()
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${WEIR_WARNINGS})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
endfunction()

function(weir_program name output)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${WEIR_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES OUTPUT_NAME ${output})
endfunction()

function(weir_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${WEIR_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest_main GTest::gmock)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name})
  if(ARG_LABEL STREQUAL unit)
    add_dependencies(unit_tests ${name})
  endif()
  if(NOT WEIR_BUILD_TESTS)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "${WEIR_TEST_ENVIRONMENT}")
  if(ARG_LABEL MATCHES "cluster|campaign")
    set_tests_properties(${name} PROPERTIES PROCESSORS 2)
  endif()
endfunction()
