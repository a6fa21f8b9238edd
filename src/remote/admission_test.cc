#include "remote/admission.h"

#include <gtest/gtest.h>

#include <vector>

namespace ac::remote {
namespace {

TEST(AdmissionTest, GrantsInOrderUpToTheLimit) {
  Admission admission(2, 8);
  std::vector<int> order;
  for (int i = 0; i < 4; ++i) admission.Enter([&order, i] { order.push_back(i); });
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
  admission.Leave();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  admission.Leave();
  admission.Leave();
  admission.Leave();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(admission.running(), 0);
}

TEST(AdmissionTest, WhoLeavesTheQueueIsNotCalled) {
  Admission admission(1, 8);
  bool called = false;
  admission.Enter([] {});
  const auto ticket = admission.Enter([&called] { called = true; });
  EXPECT_TRUE(admission.Withdraw(ticket));
  admission.Leave();
  EXPECT_FALSE(called);
  EXPECT_FALSE(admission.Withdraw(ticket));
}

TEST(AdmissionTest, AFullQueueRefuses) {
  Admission admission(1, 1);
  EXPECT_NE(admission.Enter([] {}), 0u);
  EXPECT_NE(admission.Enter([] {}), 0u);
  EXPECT_EQ(admission.Enter([] { FAIL() << "was refused"; }), 0u);
  EXPECT_EQ(admission.waiting(), 1u);
}

TEST(AdmissionTest, WithoutALimitNobodyWaits) {
  Admission admission(0, 0);
  int granted = 0;
  for (int i = 0; i < 100; ++i) admission.Enter([&granted] { ++granted; });
  EXPECT_EQ(granted, 100);
}

}  // namespace
}  // namespace ac::remote
