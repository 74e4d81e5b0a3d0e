# SPDX-License-Identifier: Apache-2.0
include(GoogleTest OPTIONAL)

# The public headers of a layer: a file set, which is installed, and which the tidy preset compiles one by one
# (CMAKE_VERIFY_INTERFACE_HEADER_SETS), so that each can be included alone.
function(berth_public_headers name)
  set(root ${PROJECT_SOURCE_DIR}/core/include)
  if(name STREQUAL "digest_text")
    set(headers ${root}/berth/digest/digest.hpp)
  elseif(name STREQUAL "oci_names")
    set(headers ${root}/berth/oci/reference.hpp)
  else()
    file(GLOB headers CONFIGURE_DEPENDS ${root}/berth/${name}/*.hpp)
    list(REMOVE_ITEM headers ${root}/berth/digest/digest.hpp ${root}/berth/oci/reference.hpp)
  endif()
  target_sources(berth_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${root} FILES ${headers})
endfunction()

# berth_layer(<name> [SOURCES ...] [USES <layer>...] [PRIVATE <lib>...])
# One static library per layer of core. USES are other layers (the arrows of the architecture, checked by
# tests/lint); PRIVATE are third-party libraries, which no public header may mention.
function(berth_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;PRIVATE" ${ARGN})
  if(NOT ARG_SOURCES)
    file(GLOB ARG_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  if(NOT ARG_SOURCES)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp "")
    set(ARG_SOURCES ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp)
  endif()
  add_library(berth_${name} STATIC ${ARG_SOURCES})
  add_library(berth::${name} ALIAS berth_${name})
  set_target_properties(berth_${name} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(berth_${name} PUBLIC cxx_std_23)
  berth_public_headers(${name})
  target_include_directories(berth_${name}
    PRIVATE ${PROJECT_SOURCE_DIR}/core/src)
  foreach(layer IN LISTS ARG_USES)
    target_link_libraries(berth_${name} PUBLIC berth_${layer})
  endforeach()
  target_link_libraries(berth_${name} PRIVATE $<BUILD_INTERFACE:berth_settings> ${ARG_PRIVATE})
  set_property(GLOBAL APPEND PROPERTY BERTH_LAYERS ${name})
endfunction()

# berth_test(<name> LABELS <label>... SOURCES ... LIBS ... [TIMEOUT s] [PREFIX p])
# One GoogleTest program; each of its tests is a CTest test, labelled.
function(berth_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS;SOURCES;LIBS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/core/src)
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} berth_settings GTest::gmock GTest::gtest_main)
  if(BERTH_SANITIZE)
    # A test runs once: to optimise what the sanitizers put into it costs half as much again as to compile it.
    target_compile_options(${name} PRIVATE -O0)
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}."
    PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
