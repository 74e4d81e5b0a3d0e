# SPDX-License-Identifier: Apache-2.0
# Compiler settings that hold for every target of berth and never leak to a consumer.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "berth needs GCC 12 or newer (std::expected); found ${CMAKE_CXX_COMPILER_VERSION}")
endif()

find_program(BERTH_CCACHE ccache)
if(BERTH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Two checkouts of the same sources share what was compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${BERTH_CCACHE})
endif()

add_library(berth_settings INTERFACE)
target_compile_features(berth_settings INTERFACE cxx_std_23)
target_compile_options(berth_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  -Wno-missing-field-initializers  # designated initialisers leave out what keeps its default
  -Wno-gnu-statement-expression  # TRY is a statement expression
  $<$<CXX_COMPILER_ID:GNU>:-Wno-pedantic>  # GCC has no finer switch for statement expressions
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>  # GCC 12 sees ghosts in std::string and std::expected; clang checks too
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<BOOL:${BERTH_WERROR}>:-Werror>)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(berth_settings INTERFACE _GLIBCXX_ASSERTIONS)
elseif(NOT BERTH_SANITIZE)
  target_compile_options(berth_settings INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  target_link_options(berth_settings INTERFACE -Wl,-z,relro,-z,now)
endif()
if(BERTH_SANITIZE)
  target_compile_options(berth_settings INTERFACE -fsanitize=${BERTH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(berth_settings INTERFACE -fsanitize=${BERTH_SANITIZE})
endif()
