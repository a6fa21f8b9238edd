// Tokens per second of the forward pass alone: prompts (prefill) and single tokens (decode).
//
// No sampling, no engine: what kernels and layers do. Positions before the measured ones are filled
// with constants, because the time does not depend on what keys and values say.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "bench/peak.h"
#include "bench/spread.h"
#include "bench/workload.h"
#include "engine/loaded_model.h"

namespace ac::bench {

struct ForwardCase {
  int64_t tokens = 1;  // computed in one call
  int64_t depth = 0;   // positions before them
};

struct ForwardResult {
  ForwardCase what;
  Spread tokens_per_s;
  double gflop_per_s = 0;
  double gb_per_s = 0;         // of weights and of keys and values, each counted once
  double percent_of_peak = 0;  // prefill: of the products' peak; decode: of the read bandwidth
};

enum class ForwardKind { kPrefill, kDecode };

struct ForwardOptions {
  ForwardKind kind = ForwardKind::kPrefill;
  kv::KvType kv_type = kv::KvType::kBF16;
  int repetitions = 5;
};

// One result for each case, `on_result` as soon as it is there. Cases beyond the model's context
// are refused.
Result<std::vector<ForwardResult>> MeasureForward(
    engine::LoadedModel& model, const std::vector<ForwardCase>& cases,
    const ForwardOptions& options, const Peak& peak,
    const std::function<void(const ForwardResult&)>& on_result);

json::Object ToJson(const ForwardResult& result);

}  // namespace ac::bench
