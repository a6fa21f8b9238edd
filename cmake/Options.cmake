# Compiler settings shared by every target. ISA flags are never set here: only ac_isa() sets them.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# Debug lines without full type information: half the link time and disk of -g2, stack traces intact.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -D_GLIBCXX_ASSERTIONS")

set(AC_SANITIZE "" CACHE STRING "Sanitizers: address,undefined | thread | empty")
option(AC_FUZZ "Build the libFuzzer targets (clang only)" OFF)
option(AC_COVERAGE "Instrument for coverage" OFF)
option(AC_THREAD_SAFETY "clang -Wthread-safety as errors" OFF)

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
                    -Werror -fno-omit-frame-pointer)
# Designated initialisers name what matters; the members they leave out are value-initialised.
add_compile_options(-Wno-missing-field-initializers)
# GCC 12 reports false positives of these from inside libstdc++ and Boost at -O2.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds
                      -Wno-restrict -Wno-dangling-pointer -Wno-stringop-overread)
else()
  # std::stable_sort of libstdc++ 12 uses a helper that clang 19 reports at the place of its use. GCC
  # still reports every other deprecation.
  add_compile_options(-Wno-deprecated-declarations)
endif()

# Presets compile four sources of a target as one (CMAKE_UNITY_BUILD), so that their headers are parsed and their
# templates compiled once for the four: a clean build takes a third less time. Names in anonymous namespaces must therefore
# be unique within a module. The preset `dev` compiles each source on its own: a missing #include shows there.
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-subobject-linkage)  # it takes a joined source for a header
endif()

if(AC_SANITIZE)
  if(AC_SANITIZE MATCHES "thread" AND AC_SANITIZE MATCHES "address")
    message(FATAL_ERROR "AC_SANITIZE: address and thread cannot be combined; use one preset each")
  endif()
  add_compile_options(-fsanitize=${AC_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${AC_SANITIZE})
endif()
if(AC_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(AC_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
if(AC_THREAD_SAFETY)
  add_compile_options(-Wthread-safety -Wthread-safety-beta)
endif()

find_program(AC_CCACHE ccache)
if(AC_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${AC_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${AC_CCACHE})
endif()
find_program(AC_MOLD mold)
if(AC_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
