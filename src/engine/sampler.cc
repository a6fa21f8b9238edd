#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace ac::engine {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// Tokens looked at first for top-p; the set that reaches p is nearly always smaller.
constexpr size_t kTopPStart = 256;

bool Penalises(const SamplingParams& p) {
  return p.repetition_penalty != 1.0 || p.presence_penalty != 0.0 || p.frequency_penalty != 0.0;
}

bool IsAllowed(Sampler::AllowMask allowed, size_t token) {
  return allowed.empty() ||
         (token / 64 < allowed.size() && (allowed[token / 64] >> (token % 64) & 1) != 0);
}

Status CheckRange(const char* name, double value, double low, double high) {
  // Written so that NaN fails.
  if (value >= low && value <= high) return OkStatus();
  return InvalidArgument("[engine] " + std::string(name) + " is " + std::to_string(value) +
                         ", expected " + std::to_string(low) + " to " + std::to_string(high));
}

// SplitMix64's finaliser: every input bit moves every output bit.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

Status CheckSamplingParams(const SamplingParams& p) {
  constexpr double kLarge = 1e6;
  AC_RETURN_IF_ERROR(CheckRange("temperature", p.temperature, 0, 100));
  AC_RETURN_IF_ERROR(CheckRange("top_k", p.top_k, 0, std::numeric_limits<int>::max()));
  AC_RETURN_IF_ERROR(CheckRange("top_p", p.top_p, 0, 1));
  AC_RETURN_IF_ERROR(CheckRange("min_p", p.min_p, 0, 1));
  AC_RETURN_IF_ERROR(CheckRange("repetition_penalty", p.repetition_penalty, 1e-3, 1e3));
  AC_RETURN_IF_ERROR(CheckRange("presence_penalty", p.presence_penalty, -kLarge, kLarge));
  AC_RETURN_IF_ERROR(CheckRange("frequency_penalty", p.frequency_penalty, -kLarge, kLarge));
  AC_RETURN_IF_ERROR(
      CheckRange("penalty_window", p.penalty_window, 0, std::numeric_limits<int>::max()));
  for (const auto& [token, bias] : p.logit_bias) {
    if (bias == kForbidden) continue;
    AC_RETURN_IF_ERROR(CheckRange("logit_bias", static_cast<double>(bias), -kLarge, kLarge));
  }
  return OkStatus();
}

double UniformAt(uint64_t seed, uint64_t counter) {
  return static_cast<double>(Mix(Mix(seed) ^ Mix(~counter)) >> 11) * 0x1p-53;
}

TokenLogprobs ComputeLogprobs(std::span<const float> logits, TokenId chosen, int top) {
  const float max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += static_cast<double>(std::exp(logit - max));
  const double log_sum = static_cast<double>(max) + std::log(sum);
  const auto logprob = [&](float logit) {
    return static_cast<float>(static_cast<double>(logit) - log_sum);
  };

  TokenLogprobs result;
  result.chosen = logprob(logits[static_cast<size_t>(chosen)]);
  const size_t count = std::min(static_cast<size_t>(std::max(top, 0)), logits.size());
  if (count == 0) return result;
  const auto better = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  };
  // A heap whose front is the worst of the best so far.
  for (size_t i = 0; i < logits.size(); ++i) {
    const TokenLogprob entry{static_cast<TokenId>(i), logits[i]};
    if (result.top.size() == count) {
      if (!better(entry, result.top.front())) continue;
      std::pop_heap(result.top.begin(), result.top.end(), better);
      result.top.pop_back();
    }
    result.top.push_back(entry);
    std::push_heap(result.top.begin(), result.top.end(), better);
  }
  std::sort_heap(result.top.begin(), result.top.end(), better);
  for (TokenLogprob& entry : result.top) entry.logprob = logprob(entry.logprob);
  return result;
}

Sampler::Sampler(SamplingParams params, std::span<const TokenId> prompt)
    : params_(std::move(params)) {
  if (params_.repetition_penalty == 1.0) return;  // the only one that looks at the prompt
  for (TokenId token : prompt) Remember(token, false);
}

void Sampler::Accept(TokenId token) {
  ++outputs_;
  Remember(token, true);
}

void Sampler::Remember(TokenId token, bool output) {
  if (!Penalises(params_)) return;
  Seen& seen = seen_[token];
  ++seen.total;
  seen.output += output ? 1 : 0;
  if (params_.penalty_window == 0) return;
  window_.emplace_back(token, output);
  if (window_.size() <= static_cast<size_t>(params_.penalty_window)) return;
  const auto [old, was_output] = window_.front();
  window_.pop_front();
  const auto it = seen_.find(old);
  it->second.output -= was_output ? 1 : 0;
  if (--it->second.total == 0) seen_.erase(it);
}

float Sampler::Penalised(float logit, const Seen& seen) const {
  double value = static_cast<double>(logit);
  value = value > 0 ? value / params_.repetition_penalty : value * params_.repetition_penalty;
  value -= params_.frequency_penalty * seen.output;
  if (seen.output > 0) value -= params_.presence_penalty;
  return static_cast<float>(value);
}

// Leaves the logits of every token that may be chosen in candidates_, ascending by id.
void Sampler::Transform(std::span<const float> logits, AllowMask allowed) {
  logits_.assign(logits.begin(), logits.end());
  const auto in_vocabulary = [&](TokenId token) {
    return token >= 0 && static_cast<size_t>(token) < logits_.size();
  };
  for (const auto& [token, bias] : params_.logit_bias) {
    if (in_vocabulary(token)) logits_[static_cast<size_t>(token)] += bias;
  }
  for (const auto& [token, seen] : seen_) {
    if (!in_vocabulary(token)) continue;
    float& logit = logits_[static_cast<size_t>(token)];
    logit = Penalised(logit, seen);
  }
  candidates_.clear();
  for (size_t i = 0; i < logits_.size(); ++i) {
    if (logits_[i] == kForbidden || !IsAllowed(allowed, i)) continue;
    candidates_.push_back({static_cast<TokenId>(i), logits_[i]});
  }
}

// candidates_ hold probabilities (unnormalised); keeps the best until they reach top_p of the sum.
void Sampler::KeepTopP() {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
  };
  double total = 0;
  for (const Candidate& c : candidates_) total += static_cast<double>(c.weight);
  const double wanted = params_.top_p * total;
  double sum = 0;
  size_t sorted = 0;
  for (size_t step = kTopPStart; sorted < candidates_.size(); step *= 4) {
    const size_t end = std::min(candidates_.size(), sorted + step);
    std::partial_sort(candidates_.begin() + static_cast<std::ptrdiff_t>(sorted),
                      candidates_.begin() + static_cast<std::ptrdiff_t>(end), candidates_.end(),
                      better);
    for (; sorted < end; ++sorted) {
      sum += static_cast<double>(candidates_[sorted].weight);
      if (sum >= wanted) {
        candidates_.resize(sorted + 1);
        return;
      }
    }
  }
}

// Turns logits into unnormalised probabilities and applies top-k, top-p and min-p.
void Sampler::Filter(float best) {
  const auto top_k = static_cast<size_t>(params_.top_k);
  if (top_k > 0 && top_k < candidates_.size()) {
    std::nth_element(candidates_.begin(),
                     candidates_.begin() + static_cast<std::ptrdiff_t>(top_k) - 1,
                     candidates_.end(), [](const Candidate& a, const Candidate& b) {
                       return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
                     });
    candidates_.resize(top_k);
  }
  const auto inverse = static_cast<float>(1.0 / params_.temperature);
  for (Candidate& c : candidates_) c.weight = std::exp((c.weight - best) * inverse);
  if (params_.top_p < 1.0) KeepTopP();
  if (params_.min_p > 0.0) {  // the best one has weight 1
    std::erase_if(candidates_, [&](const Candidate& c) {
      return static_cast<double>(c.weight) < params_.min_p;
    });
  }
}

// By id, whatever the filters did to the order: two tokens of nearly equal probability must not
// swap their places in the sum because of a rounding error in the logits.
TokenId Sampler::Draw() const {
  double total = 0;
  for (const Candidate& c : candidates_) total += static_cast<double>(c.weight);
  const double target = UniformAt(params_.seed, outputs_) * total;
  double sum = 0;
  for (const Candidate& c : candidates_) {
    sum += static_cast<double>(c.weight);
    if (target < sum) return c.id;
  }
  return candidates_.back().id;
}

Result<TokenId> Sampler::Choose(std::span<const float> logits, AllowMask allowed) {
  Transform(logits, allowed);
  if (candidates_.empty()) {
    return Status(Code::kFailedPrecondition,
                  "[engine] the grammar and logit_bias forbid every token; loosen one of them");
  }
  const auto best =
      std::max_element(candidates_.begin(), candidates_.end(),
                       [](const Candidate& a, const Candidate& b) { return a.weight < b.weight; });
  if (params_.temperature == 0) return best->id;
  Filter(best->weight);
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
  return Draw();
}

Result<SampledToken> Sampler::Sample(std::span<const float> logits, AllowMask allowed,
                                     int top_logprobs) {
  // One pass finds damage and, for the common greedy case, the answer.
  size_t best = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] <= std::numeric_limits<float>::max())) {
      return DataLoss(
          "[engine] the model gave a logit that is not a number; its weights are "
          "damaged or it needs a wider KV type");
    }
    if (logits[i] > logits[best]) best = i;
  }
  SampledToken sampled;
  if (params_.temperature == 0 && allowed.empty() && params_.logit_bias.empty() && seen_.empty()) {
    sampled.id = static_cast<TokenId>(best);
  } else {
    AC_ASSIGN_OR_RETURN(sampled.id, Choose(logits, allowed));
  }
  if (top_logprobs >= 0) sampled.logprobs = ComputeLogprobs(logits, sampled.id, top_logprobs);
  return sampled;
}

}  // namespace ac::engine
