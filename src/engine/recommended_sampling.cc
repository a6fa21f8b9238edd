#include <type_traits>

#include "engine/loaded_model.h"
#include "weights/gguf.h"

namespace ac::engine {
namespace {

SamplingParams ByArchitecture(std::string_view architecture) {
  SamplingParams params;
  if (architecture.starts_with("qwen")) {
    params.temperature = 0.7;
    params.top_p = 0.8;
    params.top_k = 20;
    params.repetition_penalty = 1.05;
    params.penalty_window = 256;
  } else {
    params.temperature = 0.6;
    params.top_p = 0.9;
  }
  return params;
}

}  // namespace

SamplingParams RecommendedSampling(std::string_view architecture,
                                   const weights::GgufMetadata* metadata) {
  SamplingParams params = ByArchitecture(architecture);
  if (metadata == nullptr) return params;
  const auto take = [&](const char* key, auto member) {
    const auto value = metadata->GetFloat(key);
    if (!value) return;
    SamplingParams changed = params;
    using Number = std::remove_reference_t<decltype(changed.*member)>;
    if (!(*value >= 0 && *value <= 1e6)) return;  // also refuses NaN
    changed.*member = static_cast<Number>(*value);
    if (CheckSamplingParams(changed).ok()) params = changed;
  };
  take("general.sampling.temp", &SamplingParams::temperature);
  take("general.sampling.top_k", &SamplingParams::top_k);
  take("general.sampling.top_p", &SamplingParams::top_p);
  take("general.sampling.min_p", &SamplingParams::min_p);
  take("general.sampling.penalty_repeat", &SamplingParams::repetition_penalty);
  take("general.sampling.penalty_last_n", &SamplingParams::penalty_window);
  return params;
}

}  // namespace ac::engine
