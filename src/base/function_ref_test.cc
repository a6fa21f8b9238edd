#include "base/function_ref.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>

namespace ac {
namespace {

int Apply(FunctionRef<int(int)> f, int x) { return f(x); }

TEST(FunctionRef, CallsLambdasWithTheirCaptures) {
  int calls = 0;
  EXPECT_EQ(Apply(
                [&calls](int x) {
                  ++calls;
                  return x * 2;
                },
                21),
            42);
  EXPECT_EQ(calls, 1);
}

TEST(FunctionRef, AMutableCallableKeepsItsState) {
  auto counter = [n = 0](int step) mutable { return n += step; };
  EXPECT_EQ(Apply(counter, 1), 1);
  EXPECT_EQ(Apply(counter, 1), 2);
}

TEST(FunctionRef, CopiesReferToTheSameCallable) {
  auto counter = [n = 0](int step) mutable { return n += step; };
  const FunctionRef<int(int)> first = counter;
  const FunctionRef<int(int)> second = first;
  EXPECT_EQ(first(1) + second(1), 3);
}

TEST(FunctionRef, MovesArgumentsThrough) {
  const auto take = [](std::unique_ptr<std::string> text) { return *text; };
  const FunctionRef<std::string(std::unique_ptr<std::string>)> ref = take;
  EXPECT_EQ(ref(std::make_unique<std::string>("x")), "x");
}

TEST(FunctionRef, RefusesWhatCannotBeCalled) {
  const auto takes_text = [](const std::string&) { return 1; };
  static_assert(!std::is_constructible_v<FunctionRef<int(int)>, decltype(takes_text)>);
  static_assert(!std::is_constructible_v<FunctionRef<int(int)>, int>);
  EXPECT_EQ(takes_text("x"), 1);
}

}  // namespace
}  // namespace ac
