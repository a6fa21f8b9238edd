#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ac::model {
namespace {

using weights::RopeConfig;
using weights::RopeScaling;

RopeConfig Config(RopeScaling scaling, float factor = 1.0f) {
  RopeConfig config;
  config.dims = 8;
  config.base = 10000.0f;
  config.scaling = scaling;
  config.factor = factor;
  config.original_context = 4096;
  return config;
}

Rope Make(const RopeConfig& config, std::vector<float> factors = {}) {
  auto rope = Rope::Create(config, factors);
  EXPECT_TRUE(rope.ok()) << rope.status();
  return std::move(rope).value();
}

TEST(Rope, PlainFrequenciesFallGeometrically) {
  const Rope rope = Make(Config(RopeScaling::kNone));
  const double expected[] = {1.0, 0.1, 0.01, 0.001};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(rope.frequencies()[i], expected[i], 1e-12);
  EXPECT_EQ(rope.magnitude(), 1.0f);
}

TEST(Rope, AnglesAreTheCosineAndSineOfPositionTimesFrequency) {
  const Rope rope = Make(Config(RopeScaling::kNone));
  float cos[4], sin[4];
  rope.Angles(30, cos, sin);
  EXPECT_NEAR(static_cast<double>(cos[1]), std::cos(3.0), 1e-6);
  EXPECT_NEAR(static_cast<double>(sin[2]), std::sin(0.3), 1e-6);
}

TEST(Rope, LinearScalingDividesEveryFrequency) {
  const Rope rope = Make(Config(RopeScaling::kLinear, 4.0f));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(rope.frequencies()[i], std::pow(0.1, static_cast<double>(i)) / 4, 1e-12);
  }
}

// dims 8, base 10000, context 4096: turns of pair i are 4096 * 10^-i / 2 pi = 652, 65.2, 6.52,
// 0.652. beta_fast 32 lies at pair 1.31 (floor 1), beta_slow 1 at pair 2.81 (ceil 3).
TEST(Rope, YarnKeepsFastPairsInterpolatesSlowOnesAndBlendsBetween) {
  const Rope rope = Make(Config(RopeScaling::kYarn, 4.0f));
  EXPECT_NEAR(rope.frequencies()[0], 1.0, 1e-9);
  EXPECT_NEAR(rope.frequencies()[1], 0.1, 1e-9);
  EXPECT_NEAR(rope.frequencies()[2], 0.01 * 0.5 + 0.01 / 4 * 0.5, 1e-9);
  EXPECT_NEAR(rope.frequencies()[3], 0.001 / 4, 1e-9);
  EXPECT_NEAR(static_cast<double>(rope.magnitude()), 1.0 + 0.1 * std::log(4.0), 1e-6);
  float cos[4], sin[4];
  rope.Angles(0, cos, sin);
  EXPECT_EQ(cos[0], rope.magnitude());
}

TEST(Rope, YarnTakesAGivenAttentionFactor) {
  RopeConfig config = Config(RopeScaling::kYarn, 4.0f);
  config.attention_factor = 1.25f;
  EXPECT_EQ(Make(config).magnitude(), 1.25f);
}

// Limits at 1 and 4 turns: pairs 0..2 turn more than 4 times, pair 3 (0.652) less than once.
TEST(Rope, Llama3KeepsShortWavelengthsAndStretchesLongOnes) {
  RopeConfig config = Config(RopeScaling::kLlama3, 8.0f);
  const Rope rope = Make(config);
  EXPECT_NEAR(rope.frequencies()[2], 0.01, 1e-12);
  EXPECT_NEAR(rope.frequencies()[3], 0.001 / 8, 1e-12);
  // Between the limits: pair 2 makes 6.52 turns, which is (6.52 - 1) / (10 - 1) of the way.
  config.high_freq_factor = 10.0f;
  const double keep = (4096 * 0.01 / (2 * M_PI) - 1) / 9;
  EXPECT_NEAR(Make(config).frequencies()[2], 0.01 * keep + 0.01 / 8 * (1 - keep), 1e-9);
}

TEST(Rope, AFilesOwnFactorsReplaceLlama3Scaling) {
  const Rope rope = Make(Config(RopeScaling::kLlama3, 8.0f), {1, 1, 2, 8});
  EXPECT_NEAR(rope.frequencies()[2], 0.005, 1e-12);
  EXPECT_NEAR(rope.frequencies()[3], 0.001 / 8, 1e-12);
}

TEST(Rope, ValuesThatMakeNoSenseAreRefused) {
  const auto refused = [](const RopeConfig& config, std::vector<float> factors = {}) {
    return Rope::Create(config, factors).status().code() == Code::kInvalidArgument;
  };
  RopeConfig odd = Config(RopeScaling::kNone);
  odd.dims = 7;
  EXPECT_TRUE(refused(odd));
  EXPECT_TRUE(refused(Config(RopeScaling::kLinear, 0.0f)));
  EXPECT_TRUE(refused(Config(RopeScaling::kLinear, std::numeric_limits<float>::quiet_NaN())));
  RopeConfig no_context = Config(RopeScaling::kYarn, 2.0f);
  no_context.original_context = 0;
  EXPECT_TRUE(refused(no_context));
  EXPECT_TRUE(refused(Config(RopeScaling::kNone), {1, 1, 1}));
  EXPECT_TRUE(refused(Config(RopeScaling::kNone), {1, 1, 0, 1}));
}

}  // namespace
}  // namespace ac::model
