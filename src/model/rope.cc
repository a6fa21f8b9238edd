#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace ac::model {
namespace {

using weights::RopeConfig;
using weights::RopeScaling;

// Frequency of pair i: base^(-2i / dims).
double Plain(const RopeConfig& c, int i) {
  return std::pow(static_cast<double>(c.base), -2.0 * i / c.dims);
}

// The pair (as a real number) that makes `turns` full turns within the original context.
double PairOfTurns(const RopeConfig& c, double turns) {
  return c.dims * std::log(c.original_context / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(static_cast<double>(c.base)));
}

// Yarn (Peng et al. 2023): pairs that turn often keep their frequency, pairs that turn less than
// once are interpolated, those between are blended.
double Yarn(const RopeConfig& c, int i, double plain) {
  const double low = std::max(0.0, std::floor(PairOfTurns(c, static_cast<double>(c.beta_fast))));
  const double high =
      std::min(c.dims - 1.0, std::ceil(PairOfTurns(c, static_cast<double>(c.beta_slow))));
  const double ramp = std::clamp((i - low) / std::max(0.001, high - low), 0.0, 1.0);
  const double keep = (1.0 - ramp) * static_cast<double>(c.extrapolation_factor);
  return plain * keep + plain / static_cast<double>(c.factor) * (1.0 - keep);
}

// Llama 3: by wavelength instead of turns, with a smooth step between the two limits.
double Llama3(const RopeConfig& c, double plain) {
  const double factor = static_cast<double>(c.factor);
  const double low = static_cast<double>(c.low_freq_factor);
  const double high = static_cast<double>(c.high_freq_factor);
  const double turns = c.original_context * plain / (2 * std::numbers::pi);
  if (turns > high) return plain;
  if (turns < low) return plain / factor;
  const double keep = (turns - low) / (high - low);
  return plain * keep + plain / factor * (1.0 - keep);
}

double Scaled(const RopeConfig& c, int i, bool has_factors) {
  const double plain = Plain(c, i);
  switch (c.scaling) {
    case RopeScaling::kNone:
      return plain;
    case RopeScaling::kLinear:
      return plain / static_cast<double>(c.factor);
    case RopeScaling::kYarn:
      return Yarn(c, i, plain);
    case RopeScaling::kLlama3:
      return has_factors ? plain : Llama3(c, plain);
  }
  return plain;
}

float Magnitude(const RopeConfig& c) {
  if (c.scaling != RopeScaling::kYarn) return 1.0f;
  if (c.attention_factor > 0) return c.attention_factor;
  if (c.extrapolation_factor == 0 || c.factor <= 1) return 1.0f;
  return 1.0f + 0.1f * std::log(c.factor);
}

Status Check(const RopeConfig& c, std::span<const float> factors) {
  if (c.dims < 2 || c.dims % 2 != 0) {
    return InvalidArgument("[model] rope needs an even number of dimensions, not " +
                           std::to_string(c.dims));
  }
  // Written so that NaN fails too.
  if (!(c.base > 1) || !(c.factor > 0)) {
    return InvalidArgument("[model] rope base " + std::to_string(c.base) + " and factor " +
                           std::to_string(c.factor) + " must be above 1 and 0");
  }
  const bool needs_context =
      c.scaling == RopeScaling::kYarn || (c.scaling == RopeScaling::kLlama3 && factors.empty());
  if (needs_context && c.original_context <= 0) {
    return InvalidArgument("[model] rope scaling needs the original context length");
  }
  if (!factors.empty() && factors.size() != static_cast<size_t>(c.dims / 2)) {
    return InvalidArgument("[model] rope_freqs.weight has " + std::to_string(factors.size()) +
                           " values, expected " + std::to_string(c.dims / 2));
  }
  if (!std::all_of(factors.begin(), factors.end(), [](float f) { return f > 0; })) {
    return InvalidArgument("[model] rope_freqs.weight holds a value that is not positive");
  }
  return OkStatus();
}

}  // namespace

Result<Rope> Rope::Create(const RopeConfig& config, std::span<const float> factors) {
  AC_RETURN_IF_ERROR(Check(config, factors));
  Rope rope;
  rope.config_ = config;
  rope.magnitude_ = Magnitude(config);
  for (int i = 0; i < config.dims / 2; ++i) {
    double frequency = Scaled(config, i, !factors.empty());
    if (!factors.empty()) frequency /= static_cast<double>(factors[static_cast<size_t>(i)]);
    rope.frequencies_.push_back(frequency);
  }
  return rope;
}

void Rope::Angles(int64_t position, float* cos, float* sin) const {
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    const double angle = static_cast<double>(position) * frequencies_[i];
    cos[i] = static_cast<float>(std::cos(angle)) * magnitude_;
    sin[i] = static_cast<float>(std::sin(angle)) * magnitude_;
  }
}

}  // namespace ac::model
