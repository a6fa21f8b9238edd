// Which kernel tables this build has, which run here, and which one is used.
//
// Pure functions over the host's features; thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cpu/features.h"
#include "kernels/table.h"

namespace ac::kernels {

struct BuiltTable {
  const ac_kernel_table* table;
  std::string_view needs;  // for messages: "AVX2, FMA and F16C"
  bool (*runs_on)(const cpu::Features& features);
};

// Best first; the last one is the reference, which runs everywhere.
std::span<const BuiltTable> BuiltTables();
// Those of them that run on this machine, best first.
std::vector<const ac_kernel_table*> RunnableTables(
    const cpu::Features& features = cpu::HostFeatures());

struct Selection {
  const ac_kernel_table* table = nullptr;
  std::string reason;  // one line for people: "kernels: avx2 (best of avx2, ref)"
};

// The best runnable table, or the one named `forced` (the value of ANYCLAUDE_ISA; empty or null
// when unset). kInvalidArgument for a name this build does not know, kUnsupported for a table this
// machine cannot run.
Result<Selection> SelectTable(const char* forced,
                              const cpu::Features& features = cpu::HostFeatures());

}  // namespace ac::kernels
