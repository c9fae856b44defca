# Installs the SDK of BUILD into a fresh prefix, builds against it the project here and the job that
# README.md shows, pasted, and looks at what the job libraries need. Arguments: BUILD, WORK (a folder
# to use), CXX, READELF, README.
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

# What stands in the first block of README in this language.
function(take_block language result)
  file(READ "${README}" text)
  set(start "\n```${language}\n")
  string(FIND "${text}" "${start}" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "${README} has no block of ${language}")
  endif()
  string(LENGTH "${start}" start_length)
  math(EXPR begin "${begin} + ${start_length}")
  string(SUBSTRING "${text}" ${begin} -1 text)
  string(FIND "${text}" "```" end)
  string(SUBSTRING "${text}" 0 ${end} text)
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

function(build_project sources job)
  run("${CMAKE_COMMAND}" -S "${sources}" -B "${WORK}/${job}" -G Ninja
      "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
  run("${CMAKE_COMMAND}" --build "${WORK}/${job}")
endfunction()

run("${CMAKE_COMMAND}" --install "${BUILD}" --component sdk --prefix "${WORK}/prefix")
take_block(cpp job)
take_block(cmake project)
file(WRITE "${WORK}/readme/processed.cc" "${job}")
file(WRITE "${WORK}/readme/CMakeLists.txt"
     "cmake_minimum_required(VERSION 3.25)\nproject(readme LANGUAGES CXX)\n${project}")
build_project("${CMAKE_CURRENT_LIST_DIR}" word_count)
build_project("${WORK}/readme" processed)

foreach(job word_count processed)
  run("${READELF}" --dynamic --wide "${WORK}/${job}/${job}.so")
  string(REGEX MATCHALL "Shared library: [^\n]*" needed "${output}")
  if(NOT needed MATCHES "libweir\\.so" OR needed MATCHES "grpc|rocksdb|protobuf|absl|rdkafka")
    message(FATAL_ERROR "${job}.so needs other libraries than it should: ${needed}")
  endif()
  run("${READELF}" --dyn-syms --wide "${WORK}/${job}/${job}.so")
  string(REGEX MATCHALL "GLOBAL DEFAULT +[0-9]+ [^\n]*" shown "${output}")
  list(LENGTH shown count)
  if(NOT count EQUAL 2)
    message(FATAL_ERROR "${job}.so shows more than its entry point and stamp: ${shown}")
  endif()
endforeach()

file(REMOVE_RECURSE "${WORK}")
