// Third-party test data that lives beside the checkout and is never copied into it.
//
// SharedData("vocab/x.gguf") is a path below $AC_SHARED_DIR/data, or below ../shared/data of the
// checkout. On an outsider's machine the folder is missing and tests that need it skip with a
// message; under CI (environment variable CI set) they fail instead.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/file_system.h"

namespace ac::testing {

inline std::string SharedDir() {
  const char* from_environment = std::getenv("AC_SHARED_DIR");
  return from_environment != nullptr ? from_environment : AC_SOURCE_DIR "/../shared";
}

inline std::string SharedData(const std::string& name) { return SharedDir() + "/data/" + name; }

inline bool HasSharedData() { return FileSystem::Real().Exists(SharedDir() + "/data/README.md"); }

}  // namespace ac::testing

// First line of a test that needs the data.
#define AC_REQUIRE_SHARED_DATA()                                                       \
  do {                                                                                 \
    if (!::ac::testing::HasSharedData()) {                                             \
      if (std::getenv("CI") != nullptr) {                                              \
        FAIL() << "shared test data missing: expected " << ::ac::testing::SharedDir(); \
      } else {                                                                         \
        GTEST_SKIP() << "shared test data not on this machine (set AC_SHARED_DIR)";    \
      }                                                                                \
    }                                                                                  \
  } while (0)
