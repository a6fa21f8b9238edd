#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "quant/quant.h"

namespace ac::quant {
namespace {

constexpr ac_quant_type kTargets[] = {AC_F32,  AC_F16,  AC_BF16, AC_Q8_0, AC_Q4_0, AC_Q4_1,
                                      AC_Q5_0, AC_Q5_1, AC_Q4_K, AC_Q5_K, AC_Q6_K};

std::vector<float> Gaussian(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> out(count);
  for (float& x : out) x = normal(random);
  return out;
}

std::vector<uint8_t> Encode(ac_quant_type type, const std::vector<float>& x) {
  std::vector<uint8_t> out(*RowBytes(type, static_cast<int64_t>(x.size())));
  const Status status = QuantizeRow(type, x.data(), static_cast<int64_t>(x.size()), out.data());
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

std::vector<float> RoundTrip(ac_quant_type type, const std::vector<float>& x) {
  const std::vector<uint8_t> bytes = Encode(type, x);
  ac_matrix m = {};
  m.type = type;
  m.rows = 1;
  m.cols = static_cast<int64_t>(x.size());
  m.data = bytes.data();
  m.row_bytes = bytes.size();
  std::vector<float> out(x.size());
  DequantizeRow(m, 0, out.data());
  return out;
}

// Root mean square error relative to the root mean square of the data.
double RelativeError(ac_quant_type type, const std::vector<float>& x) {
  const std::vector<float> y = RoundTrip(type, x);
  double error = 0;
  double power = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    error += (x[i] - y[i]) * (x[i] - y[i]);
    power += x[i] * x[i];
  }
  return std::sqrt(error / power);
}

TEST(Quantize, ErrorOnGaussianDataStaysBelowItsBound) {
  // Bounds are a few percent above what a uniform grid of that many levels can do per group.
  const struct {
    ac_quant_type type;
    double bound;
  } cases[] = {{AC_F32, 0.0},    {AC_F16, 0.0004}, {AC_BF16, 0.0025}, {AC_Q8_0, 0.006},
               {AC_Q4_0, 0.092}, {AC_Q4_1, 0.084}, {AC_Q5_0, 0.047},  {AC_Q5_1, 0.042},
               {AC_Q4_K, 0.084}, {AC_Q5_K, 0.042}, {AC_Q6_K, 0.022}};
  const std::vector<float> x = Gaussian(256 * 64, 1);
  for (const auto& c : cases) {
    EXPECT_LE(RelativeError(c.type, x), c.bound) << InfoOf(c.type).name;
  }
}

TEST(Quantize, MoreBitsNeverMeanMoreError) {
  for (uint32_t seed = 2; seed < 6; ++seed) {
    const std::vector<float> x = Gaussian(256 * 16, seed);
    const ac_quant_type symmetric[] = {AC_Q4_0, AC_Q5_0, AC_Q6_K, AC_Q8_0, AC_F16, AC_F32};
    const ac_quant_type affine[] = {AC_Q4_K, AC_Q5_K, AC_Q6_K, AC_Q8_0};
    for (size_t i = 1; i < std::size(symmetric); ++i) {
      EXPECT_LT(RelativeError(symmetric[i], x), RelativeError(symmetric[i - 1], x))
          << seed << " " << i;
    }
    for (size_t i = 1; i < std::size(affine); ++i) {
      EXPECT_LT(RelativeError(affine[i], x), RelativeError(affine[i - 1], x)) << seed << " " << i;
    }
  }
}

TEST(Quantize, ShiftedDataIsWhereMinimaHelp) {
  std::vector<float> x = Gaussian(256 * 8, 7);
  for (float& v : x) v = -0.1f + v * 0.2f;
  EXPECT_LT(RelativeError(AC_Q4_1, x), 0.3 * RelativeError(AC_Q4_0, x));
  EXPECT_LT(RelativeError(AC_Q4_K, x), 0.3 * RelativeError(AC_Q4_0, x));
}

TEST(Quantize, OutliersDoNotSpoilOtherGroups) {
  std::vector<float> x = Gaussian(256, 8);
  x[3] = 40.0f;
  for (const ac_quant_type type : {AC_Q4_0, AC_Q8_0, AC_Q5_1}) {
    const std::vector<float> y = RoundTrip(type, x);
    for (size_t i = 32; i < 256; ++i)
      EXPECT_NEAR(y[i], x[i], 0.02) << InfoOf(type).name << " " << i;
  }
}

TEST(Quantize, ZerosAndConstantsSurvive) {
  for (const ac_quant_type type : kTargets) {
    for (const float value : {0.0f, 0.5f, -0.5f}) {
      const std::vector<float> y = RoundTrip(type, std::vector<float>(512, value));
      for (const float v : y) ASSERT_NEAR(v, value, std::fabs(value) * 0.01) << InfoOf(type).name;
    }
  }
}

TEST(Quantize, TinyAndHugeValuesStayFinite) {
  for (const ac_quant_type type : kTargets) {
    for (const float scale : {1e-44f, 1e-30f, 1e-6f, 1e3f, 59000.0f}) {
      std::vector<float> x(256);
      for (size_t i = 0; i < x.size(); ++i) x[i] = scale * (i % 3 == 0 ? -1.0f : 0.7f);
      for (const float v : RoundTrip(type, x))
        ASSERT_TRUE(std::isfinite(v)) << InfoOf(type).name << scale;
    }
  }
}

TEST(Quantize, NanAndInfinityAreErrorsThatNameTheColumn) {
  for (const ac_quant_type type : kTargets) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      std::vector<float> x = Gaussian(256, 9);
      x[77] = bad;
      std::vector<uint8_t> out(1024);
      const Status status = QuantizeRow(type, x.data(), 256, out.data());
      EXPECT_EQ(status.code(), Code::kInvalidArgument);
      EXPECT_NE(status.message().find("column 77"), std::string::npos) << status;
    }
  }
  std::vector<float> x(32, 1e6f);
  std::vector<uint8_t> out(64);
  EXPECT_NE(QuantizeRow(AC_F16, x.data(), 32, out.data()).message().find("too large for F16"),
            std::string::npos);
}

TEST(Quantize, WrongLengthAndTargetAreRefused) {
  std::vector<float> x(256);
  std::vector<uint8_t> out(1024);
  EXPECT_EQ(QuantizeRow(AC_Q4_K, x.data(), 128, out.data()).code(), Code::kInvalidArgument);
  EXPECT_EQ(QuantizeRow(AC_Q3_K, x.data(), 256, out.data()).code(), Code::kUnsupported);
  EXPECT_FALSE(QuantizeRow(AC_MLX_AFFINE, x.data(), 256, out.data()).ok());
}

TEST(Quantize, EqualInputGivesEqualBytes) {
  const std::vector<float> x = Gaussian(1024, 10);
  for (const ac_quant_type type : kTargets) EXPECT_EQ(Encode(type, x), Encode(type, x));
}

TEST(Quantize, WeightsAlreadyOnTheGridAreReproducedExactly) {
  std::vector<float> x(32);
  for (size_t i = 0; i < 32; ++i) x[i] = 0.25f * static_cast<float>(static_cast<int>(i % 16) - 8);
  EXPECT_EQ(RoundTrip(AC_Q4_0, x), x);
  EXPECT_EQ(RoundTrip(AC_Q4_1, x), x);
}

}  // namespace
}  // namespace ac::quant
