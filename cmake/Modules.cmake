# The declarative vocabulary of src/*/CMakeLists.txt. Sources are listed by name.

# ac_module(NAME DEPS m... LIBS t... SOURCES f... TESTS f... TEST_DEPS m... BENCHES f... BENCH_DEPS m...)
#   static library ac_NAME that may link only DEPS (our modules) and LIBS (third party);
#   TESTS become one program NAME_test, each case one ctest entry; BENCHES one program NAME_bench;
#   every header of the folder is compiled alone by the target `check_headers`.
function(ac_module NAME)
  cmake_parse_arguments(M "" "" "DEPS;LIBS;SOURCES;TESTS;TEST_DEPS;BENCHES;BENCH_DEPS;LABELS" ${ARGN})
  add_library(ac_${NAME} STATIC ${M_SOURCES})
  target_include_directories(ac_${NAME} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM M_DEPS PREPEND ac_)
  target_link_libraries(ac_${NAME} PUBLIC ${M_DEPS} ${M_LIBS} Threads::Threads)
  set_property(GLOBAL APPEND PROPERTY AC_MODULES ${NAME})
  if(M_TESTS)
    ac_test(${NAME}_test SOURCES ${M_TESTS} DEPS ${NAME} ${M_TEST_DEPS} LABELS ${M_LABELS})
  endif()
  if(M_BENCHES)
    ac_bench(${NAME}_bench SOURCES ${M_BENCHES} DEPS ${NAME} ${M_BENCH_DEPS})
  endif()
  ac_header_check(${NAME})
endfunction()

# ac_test(NAME SOURCES f... DEPS m... LABELS l... TIMEOUT s): a GoogleTest program, cases discovered one by one.
function(ac_test NAME)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${NAME} ${T_SOURCES})
  list(TRANSFORM T_DEPS PREPEND ac_)
  target_link_libraries(${NAME} PRIVATE ${T_DEPS} GTest::gmock GTest::gtest_main)
  target_include_directories(${NAME} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${NAME} PRIVATE AC_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  if(NOT T_LABELS)
    set(T_LABELS unit)
  endif()
  gtest_discover_tests(${NAME} TEST_PREFIX "${NAME}." DISCOVERY_TIMEOUT 120
                       PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}")
endfunction()

# ac_bench(NAME SOURCES f... DEPS m...): a Google Benchmark program, built by `make bench` only.
function(ac_bench NAME)
  cmake_parse_arguments(B "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${NAME} EXCLUDE_FROM_ALL ${B_SOURCES})
  list(TRANSFORM B_DEPS PREPEND ac_)
  target_link_libraries(${NAME} PRIVATE ${B_DEPS} benchmark::benchmark_main)
  target_include_directories(${NAME} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${NAME} PRIVATE AC_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  set_property(GLOBAL APPEND PROPERTY AC_BENCHES ${NAME})
endfunction()

# ac_isa(NAME FLAGS f... SOURCES f...): sealed object library compiled for one instruction set.
# Its objects may export one table and no weak symbol (tools/check_isa_symbols.sh proves it), so that
# the linker can never pick a wide-ISA copy of a shared inline function for the whole program.
function(ac_isa NAME)
  cmake_parse_arguments(I "" "" "FLAGS;SOURCES" ${ARGN})
  add_library(ac_isa_${NAME} OBJECT ${I_SOURCES})
  target_include_directories(ac_isa_${NAME} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(ac_isa_${NAME} PROPERTIES UNITY_BUILD OFF)
  target_compile_options(ac_isa_${NAME} PRIVATE -O3 -fno-exceptions -fno-rtti -fvisibility=hidden ${I_FLAGS})
  set_property(GLOBAL APPEND PROPERTY AC_ISAS ${NAME})
endfunction()

# ac_fuzz(NAME SOURCES f... DEPS m...): a libFuzzer target, only in the fuzz preset. The corpus is
# fuzz/corpus/NAME; fuzz/regress/NAME is replayed in every build by an ordinary test.
function(ac_fuzz NAME)
  cmake_parse_arguments(F "" "" "SOURCES;DEPS" ${ARGN})
  list(TRANSFORM F_DEPS PREPEND ac_)
  if(AC_FUZZ)
    add_executable(fuzz_${NAME} ${F_SOURCES})
    target_link_options(fuzz_${NAME} PRIVATE -fsanitize=fuzzer)
  else()
    # Outside the fuzz preset the same entry point replays every committed input once.
    if(NOT TARGET ac_fuzz_replay)
      add_library(ac_fuzz_replay STATIC ${PROJECT_SOURCE_DIR}/fuzz/replay_main.cc)
    endif()
    add_executable(fuzz_${NAME} ${F_SOURCES})
    target_link_libraries(fuzz_${NAME} PRIVATE ac_fuzz_replay)
    set(INPUTS ${PROJECT_SOURCE_DIR}/fuzz/corpus/${NAME})
    if(EXISTS ${PROJECT_SOURCE_DIR}/fuzz/regress/${NAME})
      list(APPEND INPUTS ${PROJECT_SOURCE_DIR}/fuzz/regress/${NAME})
    endif()
    add_test(NAME fuzz_regress.${NAME} COMMAND fuzz_${NAME} ${INPUTS})
    set_tests_properties(fuzz_regress.${NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
  target_link_libraries(fuzz_${NAME} PRIVATE ${F_DEPS})
  set_target_properties(fuzz_${NAME} PROPERTIES UNITY_BUILD OFF)
  set_property(GLOBAL APPEND PROPERTY AC_FUZZERS ${NAME})
endfunction()

# Compiles each header of a module on its own: a header that needs its includer's includes fails here.
function(ac_header_check NAME)
  file(GLOB_RECURSE HEADERS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${NAME}/*.h)
  list(FILTER HEADERS EXCLUDE REGEX "/kernels/(simd|avx2|avx512|avx512bf16|amx|neon)/")  # these need an ISA's flags
  set(PROBES)
  foreach(HEADER ${HEADERS})
    file(RELATIVE_PATH REL ${PROJECT_SOURCE_DIR}/src ${HEADER})
    string(REPLACE "/" "_" PROBE ${REL})
    set(PROBE ${CMAKE_BINARY_DIR}/headers/${PROBE}.cc)
    file(CONFIGURE OUTPUT ${PROBE} CONTENT "#include \"${REL}\"\n#include \"${REL}\"\n" @ONLY)
    list(APPEND PROBES ${PROBE})
  endforeach()
  if(PROBES)
    add_library(check_headers_${NAME} OBJECT EXCLUDE_FROM_ALL ${PROBES})
    target_link_libraries(check_headers_${NAME} PRIVATE ac_${NAME})
    target_compile_options(check_headers_${NAME} PRIVATE -O0)  # only whether it compiles matters
    set_target_properties(check_headers_${NAME} PROPERTIES UNITY_BUILD OFF)
    if(NOT TARGET check_headers)
      add_custom_target(check_headers)
    endif()
    add_dependencies(check_headers check_headers_${NAME})
  endif()
endfunction()

# Names of the declared ISAs, benchmarks and fuzzers for the scripts in tools/: one per line in
# build/<preset>/{isas,benches,fuzzers}.txt. Call once, after every module.
function(ac_write_lists)
  foreach(KIND ISAS BENCHES FUZZERS)
    get_property(NAMES GLOBAL PROPERTY AC_${KIND})
    list(TRANSFORM NAMES APPEND "\n")
    string(CONCAT TEXT ${NAMES} "")
    string(TOLOWER ${KIND} FILE)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${FILE}.txt CONTENT "${TEXT}" @ONLY)
  endforeach()
endfunction()

# ac_embed(OUT FILE NAMESPACE FUNCTION): a source file, its path in OUT, that defines
# `std::string_view NAMESPACE::FUNCTION()` with the bytes of FILE.
function(ac_embed OUT FILE NAMESPACE FUNCTION)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${FILE})
  file(READ ${FILE} BYTES HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," BYTES "${BYTES}")
  string(REGEX REPLACE "(................................................................................)"
         "\\1\n" BYTES "${BYTES}")
  set(SOURCE ${CMAKE_CURRENT_BINARY_DIR}/${FUNCTION}.cc)
  file(CONFIGURE OUTPUT ${SOURCE} @ONLY CONTENT "#include <string_view>
namespace @NAMESPACE@ {
std::string_view @FUNCTION@();
std::string_view @FUNCTION@() {
  static constexpr unsigned char kBytes[] = {
@BYTES@};
  return {reinterpret_cast<const char*>(kBytes), sizeof kBytes};
}
}  // namespace @NAMESPACE@
")
  set(${OUT} ${SOURCE} PARENT_SCOPE)
endfunction()
