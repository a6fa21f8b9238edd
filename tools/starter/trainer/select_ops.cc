#include "select_ops.h"

#include <vector>

#include "cpu/features.h"

namespace ac::starter {

std::span<const ac_train_ops* const> UsableOps() {
  static const std::vector<const ac_train_ops*> usable = [] {
    std::vector<const ac_train_ops*> tables = {&ac_train_ops_plain};
#if defined(__x86_64__)
    const cpu::Features& f = cpu::HostFeatures();
    const bool avx512 = f.avx512f && f.avx512bw && f.avx512dq && f.avx512vl;
    if (f.avx2 && f.fma) tables.push_back(&ac_train_ops_avx2);
    if (avx512) tables.push_back(&ac_train_ops_avx512);
    if (avx512 && f.avx512_bf16) tables.push_back(&ac_train_ops_bf16);
#endif
    return tables;
  }();
  return usable;
}

}  // namespace ac::starter
