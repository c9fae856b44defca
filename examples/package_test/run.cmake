# Installs the SDK of BUILD into a fresh prefix, builds the project here against it, and looks at
# what the job libraries need. Arguments: BUILD, WORK (a folder to use), CXX, READELF.
file(REMOVE_RECURSE "${WORK}")

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run("${CMAKE_COMMAND}" --install "${BUILD}" --component sdk --prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK}/build" -G Ninja
    "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
run("${CMAKE_COMMAND}" --build "${WORK}/build")

foreach(job word_count processed)
  run("${READELF}" --dynamic --wide "${WORK}/build/${job}.so")
  string(REGEX MATCHALL "Shared library: [^\n]*" needed "${output}")
  if(NOT needed MATCHES "libweir\\.so" OR needed MATCHES "grpc|rocksdb|protobuf|absl|rdkafka")
    message(FATAL_ERROR "${job}.so needs other libraries than it should: ${needed}")
  endif()
  run("${READELF}" --dyn-syms --wide "${WORK}/build/${job}.so")
  string(REGEX MATCHALL "GLOBAL DEFAULT +[0-9]+ [^\n]*" shown "${output}")
  list(LENGTH shown count)
  if(NOT count EQUAL 2)
    message(FATAL_ERROR "${job}.so shows more than its entry point and stamp: ${shown}")
  endif()
endforeach()

file(REMOVE_RECURSE "${WORK}")
