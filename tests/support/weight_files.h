#pragma once
// What the tests of weight files share: a path for the running test, and the shape of a good error.
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "base/status.h"

namespace ac::testing {

inline std::string TempPath(const std::string& name) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return ::testing::TempDir() + "/" + test->name() + "." + name;
}

// It failed, says which module speaks, and names every one of `parts`.
inline void ExpectFailure(const Status& status, std::initializer_list<const char*> parts) {
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(status.message().starts_with("[weights]")) << status;
  for (const char* part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status << " lacks " << part;
  }
}

}  // namespace ac::testing
