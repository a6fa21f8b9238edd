#include "kernels/select.h"

#include <gtest/gtest.h>

namespace ac::kernels {
namespace {

TEST(Select, TheReferenceRunsEverywhereAndIsTheLastChoice) {
  const auto runnable = RunnableTables(cpu::Features{});
  ASSERT_EQ(runnable.size(), 1u);
  EXPECT_STREQ(runnable.back()->name, "ref");
  EXPECT_STREQ(BuiltTables().back().table->name, "ref");
}

TEST(Select, WithoutAForcedNameTheBestRunnableTableIsTaken) {
  const auto selection = SelectTable("");
  ASSERT_TRUE(selection.ok());
  EXPECT_EQ(selection->table, RunnableTables().front());
  EXPECT_NE(selection->reason.find("best of"), std::string::npos) << selection->reason;
}

TEST(Select, EveryRunnableTableCanBeForced) {
  for (const ac_kernel_table* table : RunnableTables()) {
    const auto selection = SelectTable(table->name);
    ASSERT_TRUE(selection.ok()) << selection.status();
    EXPECT_EQ(selection->table, table);
    EXPECT_NE(selection->reason.find("forced by ANYCLAUDE_ISA"), std::string::npos);
  }
}

TEST(Select, AnUnknownNameIsAnErrorThatListsTheTables) {
  const auto selection = SelectTable("sse9");
  ASSERT_FALSE(selection.ok());
  EXPECT_EQ(selection.status().code(), Code::kInvalidArgument);
  EXPECT_NE(selection.status().message().find("ref"), std::string::npos);
}

TEST(Select, ATableTheMachineCannotRunIsAnErrorThatSaysWhatItNeeds) {
  for (const BuiltTable& built : BuiltTables()) {
    if (built.table == &ac_kernels_ref) continue;
    const auto selection = SelectTable(built.table->name, cpu::Features{});
    ASSERT_FALSE(selection.ok());
    EXPECT_EQ(selection.status().code(), Code::kUnsupported);
    EXPECT_NE(selection.status().message().find(built.needs), std::string::npos);
  }
}

}  // namespace
}  // namespace ac::kernels
