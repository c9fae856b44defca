# What a project of one's own needs to build jobs: headers, libraries and weir_add_job.
#   cmake --install BUILD --component sdk [--prefix P]
# Its weirConfig.cmake pulls in neither gRPC nor RocksDB nor protobuf: a job links weir alone, and
# weir_kafka if it wants to, whose own libraries stand beside it and are found at run time.
include(CMakePackageConfigHelpers)

set(WEIR_INSTALL_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/weir")

set(WEIR_SDK_LIBRARIES weir weir_kafka weir_common weir_proto)
set_target_properties(${WEIR_SDK_LIBRARIES} PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS ${WEIR_SDK_LIBRARIES}
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT sdk)

foreach(headers api connectors/generator/include connectors/kafka/include connectors/print/include
                connectors/socket/include)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${headers}/weir" TYPE INCLUDE COMPONENT sdk
          FILES_MATCHING PATTERN "*.h")
endforeach()

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/weirConfig.cmake.in" "${CMAKE_BINARY_DIR}/weirConfig.cmake"
  INSTALL_DESTINATION "${WEIR_INSTALL_CMAKE_DIR}"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(
  "${CMAKE_BINARY_DIR}/weirConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/weirConfig.cmake" "${CMAKE_BINARY_DIR}/weirConfigVersion.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/WeirAddJob.cmake"
        DESTINATION "${WEIR_INSTALL_CMAKE_DIR}" COMPONENT sdk)
