#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <sstream>
#include <string>

namespace ac {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return InvalidArgument("[test] odd");
  return n / 2;
}

Result<int> Quarter(int n) {
  AC_ASSIGN_OR_RETURN(const int half, Half(n));
  AC_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

Status CheckQuarter(int n) {
  AC_RETURN_IF_ERROR(Quarter(n).status());
  return OkStatus();
}

TEST(Status, DefaultIsOk) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status(), OkStatus());
  EXPECT_EQ(Status().ToString(), "ok");
}

TEST(Status, SaysItsCodeAndMessage) {
  const Status status = NotFound("[weights] x.gguf: no such file");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.ToString(), "not_found: [weights] x.gguf: no such file");
  std::ostringstream out;
  out << status;
  EXPECT_EQ(out.str(), status.ToString());
}

TEST(Status, PrefixesFailuresOnly) {
  EXPECT_EQ(DataLoss("short").WithPrefix("[kv] page 3"),
            Status(Code::kDataLoss, "[kv] page 3: short"));
  EXPECT_TRUE(OkStatus().WithPrefix("x").ok());
}

TEST(Status, EveryCodeHasItsOwnName) {
  std::string names;
  for (int code = 0; code <= static_cast<int>(Code::kInternal); ++code) {
    const std::string name = "<" + std::string(CodeName(static_cast<Code>(code))) + ">";
    EXPECT_NE(name, "<unknown>");
    EXPECT_EQ(names.find(name), std::string::npos) << name;
    names += name;
  }
}

TEST(Status, ErrnoBecomesACodeACallerCanActOn) {
  EXPECT_EQ(FromErrno(ENOENT, "x").code(), Code::kNotFound);
  EXPECT_EQ(FromErrno(EACCES, "x").code(), Code::kPermissionDenied);
  EXPECT_EQ(FromErrno(ENOSPC, "x").code(), Code::kResourceExhausted);
  EXPECT_EQ(FromErrno(EIO, "x").code(), Code::kDataLoss);
  EXPECT_EQ(FromErrno(ENOTEMPTY, "x").code(), Code::kFailedPrecondition);
  EXPECT_EQ(FromErrno(ECONNREFUSED, "x").code(), Code::kUnavailable);
  EXPECT_EQ(FromErrno(ENOENT, "[base] cannot open /x").message(),
            "[base] cannot open /x: No such file or directory");
}

TEST(Result, HoldsAValueOrAFailure) {
  Result<int> four = Half(8);
  ASSERT_TRUE(four.ok());
  EXPECT_EQ(*four, 4);
  EXPECT_TRUE(four.status().ok());
  const Result<int> odd = Half(3);
  EXPECT_FALSE(odd.ok());
  EXPECT_EQ(odd.status(), InvalidArgument("[test] odd"));
}

TEST(Result, MovesOutOfMoveOnlyValues) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  EXPECT_EQ(**result, 7);
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

TEST(Result, ReachesIntoItsValue) {
  Result<std::string> text(std::string("abc"));
  EXPECT_EQ(text->size(), 3u);
  *text += "d";
  EXPECT_EQ(text.value(), "abcd");
}

TEST(Result, MacrosPassFailuresUp) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(6).status(), InvalidArgument("[test] odd"));
  EXPECT_TRUE(CheckQuarter(4).ok());
  EXPECT_EQ(CheckQuarter(5).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ac
