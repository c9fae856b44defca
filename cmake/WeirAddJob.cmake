# weir_add_job(NAME SOURCES… [KAFKA] [PROTOS x.proto…])   a job library NAME.so for `weir run`
#
# KAFKA links the Kafka connector. PROTOS generates the messages as LITE_RUNTIME, because the full
# protobuf runtime can't hold the same file twice in a process that loads several jobs. The library
# shows nothing but its entry point and its ABI stamp, so that jobs can't meet in a process.

function(weir_add_job name)
  cmake_parse_arguments(ARG "KAFKA" "" "PROTOS" ${ARGN})
  if(NOT ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "weir_add_job(${name}): no sources")
  endif()
  add_library(${name} MODULE ${ARG_UNPARSED_ARGUMENTS})

  set(version_script "${CMAKE_CURRENT_BINARY_DIR}/${name}.version")
  file(CONFIGURE OUTPUT "${version_script}"
       CONTENT "{ global: weir_job_entry; weir_job_abi_stamp; local: *; };\n")
  set_target_properties(${name} PROPERTIES
    PREFIX ""
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS "${version_script}")
  target_link_options(${name} PRIVATE "LINKER:--version-script=${version_script}")
  if(NOT "${CMAKE_CXX_FLAGS};${WEIR_SANITIZER}" MATCHES "sanitize|address|thread")
    # What is missing shows when linking, not when the job is submitted.
    target_link_options(${name} PRIVATE LINKER:-z,defs)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${name} PRIVATE -fno-gnu-unique)
  endif()

  target_link_libraries(${name} PRIVATE weir::weir)
  if(ARG_KAFKA)
    target_link_libraries(${name} PRIVATE weir::kafka)
  endif()
  if(ARG_PROTOS)
    weir_add_job_protos(${name} ${ARG_PROTOS})
  endif()
endfunction()

function(weir_add_job_protos name)
  find_program(WEIR_PROTOC protoc REQUIRED)
  find_library(WEIR_PROTOBUF_LITE protobuf-lite REQUIRED)
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/${name}.protos")
  file(MAKE_DIRECTORY "${generated}")
  foreach(proto ${ARGN})
    get_filename_component(proto "${proto}" ABSOLUTE)
    get_filename_component(stem "${proto}" NAME_WLE)
    get_filename_component(folder "${proto}" DIRECTORY)
    set(out "${generated}/${stem}.pb")
    add_custom_command(
      OUTPUT "${out}.cc" "${out}.h"
      COMMAND "${WEIR_PROTOC}" "--proto_path=${folder}" "--cpp_out=lite:${generated}" "${proto}"
      DEPENDS "${proto}" VERBATIM)
    target_sources(${name} PRIVATE "${out}.cc")
  endforeach()
  target_include_directories(${name} SYSTEM PRIVATE "${generated}")
  target_link_libraries(${name} PRIVATE "${WEIR_PROTOBUF_LITE}")
endfunction()
