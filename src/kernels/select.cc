#include "kernels/select.h"

namespace ac::kernels {
namespace {

#if defined(__x86_64__)
// What the avx512 table is compiled for.
bool HasAvx512(const cpu::Features& f) {
  return f.avx512f && f.avx512bw && f.avx512dq && f.avx512vl && f.avx512_vnni && f.f16c && f.fma &&
         f.avx2;
}
#endif

constexpr BuiltTable kTables[] = {
#if defined(__x86_64__)
    {&ac_kernels_amx, "AMX with INT8 and BF16, and AVX-512 with BW, DQ, VL and VNNI",
     [](const cpu::Features& f) { return f.amx_tile && f.amx_int8 && f.amx_bf16 && HasAvx512(f); }},
    {&ac_kernels_avx512bf16, "AVX-512 with BW, DQ, VL, VNNI and BF16",
     [](const cpu::Features& f) { return f.avx512_bf16 && HasAvx512(f); }},
    {&ac_kernels_avx512, "AVX-512 with BW, DQ, VL and VNNI", HasAvx512},
    {&ac_kernels_avx2, "AVX2, FMA and F16C",
     [](const cpu::Features& f) { return f.avx2 && f.fma && f.f16c; }},
#endif
#if defined(__aarch64__)
    {&ac_kernels_neon, "NEON with dot products",
     [](const cpu::Features& f) { return f.neon && f.dotprod; }},
#endif
    {&ac_kernels_ref, "nothing", [](const cpu::Features&) { return true; }},
};

template <typename Tables, typename NameOf>
std::string Join(const Tables& tables, NameOf name_of) {
  std::string text;
  for (const auto& table : tables) {
    if (!text.empty()) text += ", ";
    text += name_of(table);
  }
  return text;
}

}  // namespace

std::span<const BuiltTable> BuiltTables() { return kTables; }

std::vector<const ac_kernel_table*> RunnableTables(const cpu::Features& features) {
  std::vector<const ac_kernel_table*> runnable;
  for (const BuiltTable& built : kTables) {
    if (built.runs_on(features)) runnable.push_back(built.table);
  }
  return runnable;
}

Result<Selection> SelectTable(const char* forced, const cpu::Features& features) {
  const auto runnable = RunnableTables(features);
  const std::string names = Join(runnable, [](const ac_kernel_table* t) { return t->name; });
  if (forced == nullptr || *forced == '\0') {
    Selection best{runnable.front(), "kernels: "};
    best.reason += std::string(best.table->name) + " (best of " + names + ")";
    if (best.table == &ac_kernels_ref && features.architecture != cpu::Architecture::kOther) {
      best.reason += "; this processor runs none of the fast tables, expect a slow engine";
    }
    return best;
  }
  for (const BuiltTable& built : kTables) {
    if (std::string_view(forced) != built.table->name) continue;
    if (!built.runs_on(features)) {
      return Unsupported("[kernels] ANYCLAUDE_ISA=" + std::string(forced) + " needs " +
                         std::string(built.needs) + ", which this machine lacks; it runs " + names);
    }
    return Selection{built.table, "kernels: " + std::string(forced) + " (forced by ANYCLAUDE_ISA)"};
  }
  return InvalidArgument("[kernels] ANYCLAUDE_ISA=" + std::string(forced) +
                         " names no kernel table of this build; use one of " +
                         Join(kTables, [](const BuiltTable& b) { return b.table->name; }));
}

}  // namespace ac::kernels
