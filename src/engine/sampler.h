// Chooses the next token of one sequence from its logits.
//
// A Sampler owns the penalties' memory of one sequence and its random stream. Randomness is
// counter-based: the draw for the n-th output token depends on the seed and n alone, so the same
// seed gives the same text whatever else runs in the batch. Not thread-safe; one per sequence.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ac::engine {

using TokenId = int32_t;

// Applied in this order: logit bias, penalties, allow mask, temperature, top-k, top-p, min-p.
// The neutral values leave the model's own distribution untouched.
struct SamplingParams {
  double temperature = 1.0;         // 0: always the most likely token (greedy)
  int top_k = 0;                    // keep the k most likely; 0: all
  double top_p = 1.0;               // keep the fewest tokens whose probability reaches p
  double min_p = 0.0;               // drop tokens below min_p times the best one's probability
  double repetition_penalty = 1.0;  // divides positive, multiplies negative logits of seen tokens
  double presence_penalty = 0.0;    // subtracted once from tokens already generated
  double frequency_penalty = 0.0;   // subtracted per occurrence among generated tokens
  // The last tokens penalties look at: prompt and output for repetition, output alone for the other
  // two. 0: all.
  int penalty_window = 0;
  std::vector<std::pair<TokenId, float>> logit_bias = {};  // added; -inf forbids
  uint64_t seed = 0;
};

// kInvalidArgument naming the first value out of range.
Status CheckSamplingParams(const SamplingParams& params);

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0;
};

// Natural logarithms over the whole vocabulary, before any transform of SamplingParams.
struct TokenLogprobs {
  float chosen = 0;
  std::vector<TokenLogprob> top;  // best first, ties by id
};

struct SampledToken {
  TokenId id = 0;
  TokenLogprobs logprobs;  // filled when asked for
};

class Sampler {
 public:
  // `prompt` feeds the repetition penalty.
  Sampler(SamplingParams params, std::span<const TokenId> prompt);

  // Bit i of word i / 64 set: token i may be chosen. Empty: every token may.
  using AllowMask = std::span<const uint64_t>;

  // The next token; does not advance the sequence. `top_logprobs`: -1 for none, 0 for the chosen
  // token's only, K for the K best too. kDataLoss when the logits hold a NaN or an infinity,
  // kFailedPrecondition when the mask and biases leave no token.
  Result<SampledToken> Sample(std::span<const float> logits, AllowMask allowed = {},
                              int top_logprobs = -1);

  // The token that was really appended (it may come from elsewhere: forced by a grammar, drafted).
  void Accept(TokenId token);

  const SamplingParams& params() const { return params_; }

 private:
  struct Candidate {
    TokenId id;
    float weight;  // its logit, later its unnormalised probability
  };
  struct Seen {
    int total = 0;   // in prompt and output
    int output = 0;  // of these, generated
  };

  void Remember(TokenId token, bool output);
  float Penalised(float logit, const Seen& seen) const;
  Result<TokenId> Choose(std::span<const float> logits, AllowMask allowed);
  void Transform(std::span<const float> logits, AllowMask allowed);
  void Filter(float best);
  void KeepTopP();
  TokenId Draw() const;

  const SamplingParams params_;
  uint64_t outputs_ = 0;
  std::deque<std::pair<TokenId, bool>> window_;  // token, is output; only while a window is set
  std::unordered_map<TokenId, Seen> seen_;       // empty while no penalty is set
  std::vector<float> logits_;                    // transformed copy
  std::vector<Candidate> candidates_;            // what survives the filters
};

// log-softmax over the whole row: of `chosen`, and of the `top` best.
TokenLogprobs ComputeLogprobs(std::span<const float> logits, TokenId chosen, int top);

// Uniform in [0, 1): the same for the same (seed, counter), independent for different ones.
double UniformAt(uint64_t seed, uint64_t counter);

}  // namespace ac::engine
