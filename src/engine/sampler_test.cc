#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace ac::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> RandomLogits(size_t n, unsigned seed, float size = 2.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, size);
  std::vector<float> logits(n);
  for (float& l : logits) l = normal(random);
  return logits;
}

TokenId Pick(SamplingParams params, const std::vector<float>& logits,
             Sampler::AllowMask allowed = {}, std::vector<TokenId> outputs = {},
             std::vector<TokenId> prompt = {}) {
  Sampler sampler(params, prompt);
  for (TokenId token : outputs) sampler.Accept(token);
  const auto sampled = sampler.Sample(logits, allowed);
  EXPECT_TRUE(sampled.ok()) << sampled.status();
  return sampled.ok() ? sampled->id : -1;
}

// How often each token is drawn over many positions of one stream.
std::map<TokenId, int> Histogram(const SamplingParams& params, const std::vector<float>& logits,
                                 int draws) {
  std::map<TokenId, int> counts;
  Sampler sampler(params, {});
  for (int i = 0; i < draws; ++i) {
    const TokenId id = sampler.Sample(logits)->id;
    ++counts[id];
    sampler.Accept(id);
  }
  return counts;
}

std::vector<double> Softmax(const std::vector<float>& logits, double temperature = 1.0) {
  std::vector<double> p;
  double sum = 0;
  for (float l : logits) p.push_back(std::exp(static_cast<double>(l) / temperature));
  for (double v : p) sum += v;
  for (double& v : p) v /= sum;
  return p;
}

TEST(Sampler, GreedyTakesTheBestAndOfEqualsTheLowestId) {
  EXPECT_EQ(Pick({.temperature = 0}, {0.0f, 3.0f, 1.0f, 3.0f}), 1);
  // The long way round gives the same.
  EXPECT_EQ(Pick({.temperature = 0, .logit_bias = {{0, 0.0f}}}, {0.0f, 3.0f, 1.0f, 3.0f}), 1);
}

TEST(Sampler, DrawsFollowTheDistributionByChiSquare) {
  const auto logits = RandomLogits(20, 1);
  for (double temperature : {0.7, 1.0, 1.5}) {
    const int draws = 100000;
    const auto counts = Histogram({.temperature = temperature, .seed = 42}, logits, draws);
    const auto p = Softmax(logits, temperature);
    double chi = 0;
    for (size_t i = 0; i < p.size(); ++i) {
      const double expected = p[i] * draws;
      const auto it = counts.find(static_cast<TokenId>(i));
      const double seen = it == counts.end() ? 0 : it->second;
      chi += (seen - expected) * (seen - expected) / expected;
    }
    EXPECT_LT(chi, 43.8) << "99.9th percentile of 19 degrees of freedom";
  }
}

TEST(Sampler, UniformAtIsUniformAndIndependentOfNeighbours) {
  for (uint64_t seed : {0u, 1u, 2u}) {
    std::vector<int> bins(64);
    double product = 0;
    const int draws = 64000;
    for (int i = 0; i < draws; ++i) {
      const double u = UniformAt(seed, static_cast<uint64_t>(i));
      ASSERT_GE(u, 0.0);
      ASSERT_LT(u, 1.0);
      ++bins[static_cast<size_t>(u * 64)];
      product += (u - 0.5) * (UniformAt(seed, static_cast<uint64_t>(i) + 1) - 0.5);
    }
    double chi = 0;
    for (int count : bins) chi += (count - 1000.0) * (count - 1000.0) / 1000.0;
    EXPECT_LT(chi, 103.4) << "99.9th percentile of 63 degrees of freedom";
    EXPECT_LT(std::abs(product / draws), 0.0015);
  }
}

TEST(Sampler, TheSameSeedGivesTheSameTextAndAnotherSeedAnotherOne) {
  const auto text = [](uint64_t seed) {
    Sampler sampler({.temperature = 1.0, .top_p = 0.9, .seed = seed}, {});
    std::vector<TokenId> out;
    for (unsigned i = 0; i < 50; ++i) {
      out.push_back(sampler.Sample(RandomLogits(300, i))->id);
      sampler.Accept(out.back());
    }
    return out;
  };
  EXPECT_EQ(text(5), text(5));
  EXPECT_NE(text(5), text(6));
}

TEST(Sampler, SamplingTwiceWithoutAcceptingGivesTheSameToken) {
  Sampler sampler({.temperature = 1.0, .seed = 9}, {});
  const auto logits = RandomLogits(1000, 3, 0.1f);
  EXPECT_EQ(sampler.Sample(logits)->id, sampler.Sample(logits)->id);
}

// The sets the filters must keep, by the plain definition.
std::set<TokenId> Kept(const SamplingParams& params, const std::vector<float>& logits) {
  std::vector<TokenId> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](TokenId a, TokenId b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  if (params.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(params.top_k)));
  const auto all = Softmax(logits, params.temperature);
  const auto p = [&](TokenId id) { return all[static_cast<size_t>(id)]; };
  double total = 0, sum = 0;
  for (TokenId id : order) total += p(id);
  std::set<TokenId> kept;
  for (TokenId id : order) {
    if (p(id) >= params.min_p * p(order[0])) kept.insert(id);
    sum += p(id);
    if (sum >= params.top_p * total) break;
  }
  return kept;
}

TEST(Sampler, FiltersKeepExactlyTheTokensOfTheirDefinition) {
  const SamplingParams sets[] = {
      {.top_k = 1},
      {.top_k = 3},
      {.top_p = 0.5},
      {.top_p = 0.0},
      {.min_p = 0.2},
      {.temperature = 2.0, .top_k = 8, .top_p = 0.8, .min_p = 0.3},
      {.temperature = 0.3, .top_p = 0.95},
      {.top_k = 1000},
  };
  for (const SamplingParams& params : sets) {
    const auto logits = RandomLogits(30, 11, 0.7f);
    const auto counts = Histogram(params, logits, 50000);
    std::set<TokenId> seen;
    for (const auto& [id, count] : counts) seen.insert(id);
    EXPECT_EQ(seen, Kept(params, logits))
        << "top_k " << params.top_k << " top_p " << params.top_p << " min_p " << params.min_p;
  }
}

TEST(Sampler, TopPBeyondTheFirstSortedPieceIsStillExact) {
  std::vector<float> flat(5000, 0.0f);
  const SamplingParams params{.top_p = 0.5};
  Sampler sampler(params, {});
  for (int i = 0; i < 2000; ++i) {
    const TokenId id = sampler.Sample(flat)->id;
    ASSERT_LT(id, 2500) << "equal tokens are taken in the order of their ids";
    sampler.Accept(id);
  }
}

TEST(Sampler, RepetitionPenaltySeesPromptAndOutput) {
  const std::vector<float> logits = {2.0f, 1.9f, -1.0f};
  EXPECT_EQ(Pick({.temperature = 0, .repetition_penalty = 1.2}, logits), 0);
  EXPECT_EQ(Pick({.temperature = 0, .repetition_penalty = 1.2}, logits, {}, {}, {0}), 1);
  EXPECT_EQ(Pick({.temperature = 0, .repetition_penalty = 1.2}, logits, {}, {0}), 1);
  // Negative logits are multiplied: the penalty pushes down there too.
  EXPECT_EQ(Pick({.temperature = 0, .repetition_penalty = 2.0}, {-1.0f, -1.5f}, {}, {0}), 1);
}

TEST(Sampler, PresenceAndFrequencyPenaltiesSeeTheOutputOnly) {
  const std::vector<float> logits = {2.0f, 1.5f};
  EXPECT_EQ(Pick({.temperature = 0, .presence_penalty = 1.0}, logits, {}, {}, {0, 0}), 0);
  EXPECT_EQ(Pick({.temperature = 0, .presence_penalty = 1.0}, logits, {}, {0}), 1);
  EXPECT_EQ(Pick({.temperature = 0, .frequency_penalty = 0.3}, logits, {}, {0}), 0);
  EXPECT_EQ(Pick({.temperature = 0, .frequency_penalty = 0.3}, logits, {}, {0, 0}), 1);
  EXPECT_EQ(Pick({.temperature = 0, .presence_penalty = -1.0}, logits, {}, {1}), 1);
}

TEST(Sampler, PenaltiesForgetWhatLeftTheWindow) {
  const SamplingParams params{.temperature = 0, .repetition_penalty = 4.0, .penalty_window = 2};
  const std::vector<float> logits = {2.0f, 1.0f, 0.5f};
  EXPECT_EQ(Pick(params, logits, {}, {0, 2}), 1);
  EXPECT_EQ(Pick(params, logits, {}, {0, 2, 2}), 0);
}

TEST(Sampler, LogitBiasMovesAndForbids) {
  const std::vector<float> logits = {2.0f, 1.0f, 0.0f};
  EXPECT_EQ(Pick({.temperature = 0, .logit_bias = {{2, 5.0f}}}, logits), 2);
  EXPECT_EQ(Pick({.temperature = 0, .logit_bias = {{0, -kInfinity}}}, logits), 1);
  EXPECT_EQ(Pick({.temperature = 0, .logit_bias = {{77, 5.0f}, {-1, 5.0f}}}, logits), 0);
}

TEST(Sampler, TheMaskAdmitsOnlyItsTokensEvenWhenShorterThanTheVocabulary) {
  const auto logits = RandomLogits(200, 4);
  const std::vector<uint64_t> mask = {0, uint64_t{1} << 5 | uint64_t{1} << 63};
  for (double temperature : {0.0, 1.0}) {
    for (uint64_t seed = 0; seed < 100; ++seed) {
      const TokenId id = Pick({.temperature = temperature, .seed = seed}, logits, mask);
      EXPECT_TRUE(id == 69 || id == 127) << id;
    }
  }
}

TEST(Sampler, NothingLeftToChooseIsAnErrorAndNotACrash) {
  const std::vector<uint64_t> none = {0};
  Sampler sampler({.temperature = 0}, {});
  EXPECT_EQ(sampler.Sample(RandomLogits(10, 1), none).status().code(), Code::kFailedPrecondition);
}

TEST(Sampler, LogitsThatAreNotNumbersAreReported) {
  for (float bad : {std::nanf(""), kInfinity}) {
    for (size_t at : {size_t{0}, size_t{5}}) {
      auto logits = RandomLogits(6, 1);
      logits[at] = bad;
      Sampler sampler({}, {});
      EXPECT_EQ(sampler.Sample(logits).status().code(), Code::kDataLoss);
    }
  }
}

TEST(Sampler, ATinyTemperatureIsGreedyAndNotAnOverflow) {
  EXPECT_EQ(Pick({.temperature = 1e-30}, {10.0f, 11.0f, -300.0f}), 1);
}

TEST(Sampler, LogprobsAreOfTheModelNotOfTheTransforms) {
  const auto logits = RandomLogits(50, 8);
  Sampler sampler({.temperature = 0, .logit_bias = {{7, 100.0f}}}, {});
  const auto sampled = sampler.Sample(logits, {}, 5);
  ASSERT_TRUE(sampled.ok());
  EXPECT_EQ(sampled->id, 7);
  const auto p = Softmax(logits);
  EXPECT_NEAR(static_cast<double>(sampled->logprobs.chosen), std::log(p[7]), 1e-5);
  ASSERT_EQ(sampled->logprobs.top.size(), 5u);
  std::vector<double> sorted = p;
  std::sort(sorted.rbegin(), sorted.rend());
  for (size_t i = 0; i < 5; ++i) {
    const TokenLogprob& entry = sampled->logprobs.top[i];
    EXPECT_NEAR(static_cast<double>(entry.logprob), std::log(sorted[i]), 1e-5);
    EXPECT_NEAR(static_cast<double>(entry.logprob), std::log(p[static_cast<size_t>(entry.id)]),
                1e-5);
  }
}

TEST(Sampler, MoreTopLogprobsThanTokensGivesAllOfThem) {
  EXPECT_EQ(ComputeLogprobs(RandomLogits(3, 1), 0, 20).top.size(), 3u);
  EXPECT_TRUE(ComputeLogprobs(RandomLogits(3, 1), 0, 0).top.empty());
}

TEST(SamplingParams, ValuesOutOfRangeAreNamed) {
  EXPECT_TRUE(CheckSamplingParams({}).ok());
  const auto bad = [](const SamplingParams& params, const std::string& name) {
    const Status status = CheckSamplingParams(params);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << name;
    EXPECT_NE(status.message().find(name), std::string::npos) << status;
  };
  bad({.temperature = -1}, "temperature");
  bad({.temperature = std::nan("")}, "temperature");
  bad({.top_k = -1}, "top_k");
  bad({.top_p = 1.5}, "top_p");
  bad({.min_p = -0.1}, "min_p");
  bad({.repetition_penalty = 0}, "repetition_penalty");
  bad({.presence_penalty = std::nan("")}, "presence_penalty");
  bad({.penalty_window = -1}, "penalty_window");
  bad({.logit_bias = {{1, kInfinity}}}, "logit_bias");
  EXPECT_TRUE(CheckSamplingParams({.logit_bias = {{1, -kInfinity}}}).ok());
}

}  // namespace
}  // namespace ac::engine
