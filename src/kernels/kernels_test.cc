// Every runnable table against naive formulas on odd shapes.
#include "kernels/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/select.h"
#include "quant/quant.h"
#include "support/kernel_data.h"
#include "support/naive_attention.h"

namespace ac::kernels {
namespace {

using test::AttentionShape;
using test::BlockOf;
using test::Matrix;
using test::Pages;
using test::RandomMatrix;

// A copy of the table that counts how often its functions were called, so that a test which did not
// reach the table under test fails.
int dispatched = 0;

class KernelsTest : public ::testing::TestWithParam<const ac_kernel_table*> {
 protected:
  KernelsTest() : pool_(cpu::ThreadPool::Options{.threads = 2}), counted_(Counted(*GetParam())) {
    dispatched = 0;
    inner = GetParam();
  }
  void TearDown() override { EXPECT_GT(dispatched, 0) << "the table under test was never called"; }

  static ac_kernel_table Counted(ac_kernel_table table) {
    table.matmul = [](const ac_matmul* m, int64_t begin, int64_t end, void* scratch) {
      __atomic_add_fetch(&dispatched, 1, __ATOMIC_RELAXED);
      inner->matmul(m, begin, end, scratch);
    };
    table.attention = [](const ac_attention* a, int32_t head, int64_t begin, int64_t end,
                         void* scratch) {
      __atomic_add_fetch(&dispatched, 1, __ATOMIC_RELAXED);
      inner->attention(a, head, begin, end, scratch);
    };
    table.rms_norm = [](const float* x, const float* w, float eps, int64_t rows, int64_t n,
                        float* out) {
      __atomic_add_fetch(&dispatched, 1, __ATOMIC_RELAXED);
      inner->rms_norm(x, w, eps, rows, n, out);
    };
    table.rope = [](float* x, int64_t tokens, int32_t n_heads, int32_t head_dim, int32_t dims,
                    ac_rope_style style, const float* cos, const float* sin) {
      __atomic_add_fetch(&dispatched, 1, __ATOMIC_RELAXED);
      inner->rope(x, tokens, n_heads, head_dim, dims, style, cos, sin);
    };
    table.silu_mul = [](const float* gate, const float* up, int64_t n, float* out) {
      __atomic_add_fetch(&dispatched, 1, __ATOMIC_RELAXED);
      inner->silu_mul(gate, up, n, out);
    };
    table.add_scaled = [](float* x, const float* y, float scale, int64_t n) {
      __atomic_add_fetch(&dispatched, 1, __ATOMIC_RELAXED);
      inner->add_scaled(x, y, scale, n);
    };
    table.softmax = [](float* x, int64_t n) {
      __atomic_add_fetch(&dispatched, 1, __ATOMIC_RELAXED);
      inner->softmax(x, n);
    };
    return table;
  }

  std::vector<float> Random(int64_t n, float size = 1.0f) {
    std::normal_distribution<float> normal(0.0f, size);
    std::vector<float> values(static_cast<size_t>(n));
    for (float& v : values) v = normal(random_);
    return values;
  }

  static inline const ac_kernel_table* inner = nullptr;
  std::mt19937 random_{7};
  cpu::ThreadPool pool_;
  const ac_kernel_table counted_;
};

// The rounding of table.h: to 8 bits, with one scale for each block.
void RoundInBlocks(size_t block, std::vector<float>& x) {
  for (size_t first = 0; first < x.size(); first += block) {
    const std::span<float> part(&x[first], block);
    float max = 0;
    for (float v : part) max = std::max(max, std::abs(v));
    if (max < AC_ROUND_MIN) {
      std::fill(part.begin(), part.end(), 0.0f);
      continue;
    }
    const float up = 127.0f / max;
    for (float& v : part) v = std::nearbyint(v * up) * (1.0f / up);
  }
}

// The inputs as the definition in table.h rounds them for this type of weights.
std::vector<float> RoundedInputs(ac_quant_type type, std::vector<float> x) {
  const auto block = static_cast<size_t>(BlockOf(type));
  if (block != 1 && type != AC_MLX_AFFINE) RoundInBlocks(block, x);
  return x;
}

// Rounding of partial sums: a few units in the last place of the largest term, each.
double MatMulTolerance(std::span<const float> weights, std::span<const float> x) {
  double max_weight = 0, sum = 0;
  for (float w : weights) max_weight = std::max(max_weight, std::abs(static_cast<double>(w)));
  for (float v : x) sum += std::abs(static_cast<double>(v));
  return 0x1p-19 * max_weight * sum + 1e-12;
}

TEST_P(KernelsTest, MatMulOfEveryFormatAgreesWithExactSums) {
  Kernels kernels(counted_, pool_);
  for (int type = 0; type < AC_QUANT_TYPE_COUNT; ++type) {
    const auto quant_type = static_cast<ac_quant_type>(type);
    const int64_t block = BlockOf(quant_type);
    for (const auto& [rows, blocks, tokens] : {std::array<int64_t, 3>{1, 1, 1},
                                               {3, 1, 2},
                                               {17, 2, 1},
                                               {33, 3, 5},
                                               {40, 5, 15},
                                               {31, 1, 16},
                                               {65, 2, 33},
                                               {16, 4, 67}}) {
      SCOPED_TRACE(std::string(quant::InfoOf(quant_type).name) + " " + std::to_string(rows) + "x" +
                   std::to_string(block * blocks) + " tokens " + std::to_string(tokens));
      const int64_t cols = block == 1 ? blocks * 37 : block * blocks;
      const Matrix m = RandomMatrix(quant_type, rows, cols, random_);
      auto x = Random(tokens * cols);
      std::fill(x.begin(), x.begin() + cols / 2, 0.0f);  // a block of zeros has no scale
      const auto rounded = RoundedInputs(quant_type, x);
      const auto bias = Random(rows);
      std::vector<float> out(static_cast<size_t>(tokens * (rows + 3)), -1.0f);
      const Product product{.x = x.data(),
                            .tokens = tokens,
                            .weights = &m.view,
                            .bias = bias.data(),
                            .out = out.data(),
                            .out_stride = rows + 3};
      kernels.MatMul({&product, 1});
      std::vector<float> row(static_cast<size_t>(cols));
      for (int64_t r = 0; r < rows; ++r) {
        quant::DequantizeRow(m.view, r, row.data());
        for (int64_t t = 0; t < tokens; ++t) {
          double exact = static_cast<double>(bias[static_cast<size_t>(r)]);
          for (int64_t c = 0; c < cols; ++c) {
            exact += static_cast<double>(row[static_cast<size_t>(c)]) *
                     static_cast<double>(rounded[static_cast<size_t>(t * cols + c)]);
          }
          ASSERT_NEAR(static_cast<double>(out[static_cast<size_t>(t * (rows + 3) + r)]), exact,
                      MatMulTolerance(row, {&rounded[static_cast<size_t>(t * cols)],
                                            static_cast<size_t>(cols)}))
              << "row " << r << " token " << t;
        }
      }
      for (int64_t t = 0; t < tokens; ++t) {
        ASSERT_EQ(out[static_cast<size_t>(t * (rows + 3) + rows)], -1.0f) << "wrote past its rows";
      }
    }
  }
}

TEST_P(KernelsTest, SeveralProductsInOneCallAreEachTheirOwn) {
  Kernels kernels(counted_, pool_);
  const Matrix a = RandomMatrix(AC_Q8_0, 24, 64, random_);
  const Matrix b = RandomMatrix(AC_F32, 9, 64, random_);
  const Matrix c = RandomMatrix(AC_Q4_K, 40, 256, random_);
  const auto x = Random(3 * 64);
  const auto y = Random(5 * 256);
  std::vector<float> out[6];
  out[0].resize(3 * 24), out[1].resize(3 * 9), out[2].resize(5 * 40), out[3] = out[0];
  out[4] = out[1], out[5] = out[2];
  const Product products[] = {{x.data(), 3, &a.view, nullptr, out[0].data()},
                              {x.data(), 3, &b.view, nullptr, out[1].data()},
                              {x.data(), 0, &b.view, nullptr, nullptr},
                              {y.data(), 5, &c.view, nullptr, out[2].data()}};
  kernels.MatMul(products);
  const Product alone[] = {{x.data(), 3, &a.view, nullptr, out[3].data()},
                           {x.data(), 3, &b.view, nullptr, out[4].data()},
                           {y.data(), 5, &c.view, nullptr, out[5].data()}};
  for (const Product& product : alone) kernels.MatMul({&product, 1});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(out[i], out[i + 3]) << i;
}

TEST_P(KernelsTest, RmsNormDividesByTheRootMeanSquare) {
  Kernels kernels(counted_, pool_);
  for (int64_t n : {1, 7, 64, 129, 1000}) {
    const auto x = Random(3 * n, 2.0f);
    const auto weight = Random(n);
    std::vector<float> out(x.size());
    kernels.RmsNorm(x.data(), weight.data(), 1e-5f, 3, n, out.data());
    for (int64_t r = 0; r < 3; ++r) {
      double squares = 0;
      for (int64_t i = 0; i < n; ++i)
        squares += std::pow(static_cast<double>(x[static_cast<size_t>(r * n + i)]), 2);
      const double scale = 1.0 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
      for (int64_t i = 0; i < n; ++i) {
        const auto at = static_cast<size_t>(r * n + i);
        const double exact = static_cast<double>(x[at]) * scale *
                             static_cast<double>(weight[static_cast<size_t>(i)]);
        ASSERT_NEAR(static_cast<double>(out[at]), exact, 1e-5 * std::abs(exact) + 1e-7);
      }
    }
  }
}

TEST_P(KernelsTest, RopeRotatesTheRightPairsAndLeavesTheRest) {
  Kernels kernels(counted_, pool_);
  for (const auto style : {AC_ROPE_NORMAL, AC_ROPE_NEOX}) {
    for (const auto& [head_dim, dims] :
         {std::array<int, 2>{64, 64}, {128, 128}, {80, 32}, {6, 2}, {36, 34}}) {
      const int tokens = 3, heads = 5, half = dims / 2;
      const auto x = Random(tokens * heads * head_dim);
      const auto angles = Random(tokens * half, 3.0f);
      std::vector<float> cos, sin;
      for (float a : angles) cos.push_back(std::cos(a)), sin.push_back(std::sin(a));
      auto out = x;
      kernels.Rope(out.data(), tokens, heads, head_dim, dims, style, cos.data(), sin.data());
      for (int row = 0; row < tokens * heads; ++row) {
        for (int i = 0; i < head_dim; ++i) {
          const int base = row * head_dim;
          double exact = static_cast<double>(x[static_cast<size_t>(base + i)]);
          if (i < dims) {
            const int pair = style == AC_ROPE_NORMAL ? i / 2 : i % half;
            const bool second = style == AC_ROPE_NORMAL ? i % 2 == 1 : i >= half;
            const int other = style == AC_ROPE_NORMAL ? i ^ 1 : (second ? i - half : i + half);
            const double angle =
                static_cast<double>(angles[static_cast<size_t>(row / heads * half + pair)]);
            const double partner = static_cast<double>(x[static_cast<size_t>(base + other)]);
            exact = exact * std::cos(angle) + (second ? 1 : -1) * partner * std::sin(angle);
          }
          ASSERT_NEAR(static_cast<double>(out[static_cast<size_t>(base + i)]), exact, 1e-5);
        }
      }
    }
  }
}

TEST_P(KernelsTest, ElementWiseOperationsFollowTheirFormulas) {
  Kernels kernels(counted_, pool_);
  for (int64_t n : {1, 5, 16, 33, 100, 70000}) {
    auto gate = Random(n, 4.0f);
    gate[0] = -100.0f;  // exp overflows a float: the result is 0, not NaN
    const auto up = Random(n);
    std::vector<float> out(gate.size());
    kernels.SiluMul(gate.data(), up.data(), n, out.data());
    auto sum = up;
    kernels.AddScaled(sum.data(), gate.data(), 0.5f, n);
    auto p = gate;
    kernels.Softmax(p.data(), n);
    double total = 0, max = -1e30;
    for (float g : gate) max = std::max(max, static_cast<double>(g));
    for (float g : gate) total += std::exp(static_cast<double>(g) - max);
    for (size_t i = 0; i < gate.size(); ++i) {
      const auto g = static_cast<double>(gate[i]), u = static_cast<double>(up[i]);
      const double silu = g / (1 + std::exp(-g)) * u;
      ASSERT_NEAR(static_cast<double>(out[i]), silu, 2e-5 * std::abs(silu) + 1e-6) << i;
      ASSERT_NEAR(static_cast<double>(sum[i]), u + 0.5 * g, 1e-5 * (std::abs(u) + std::abs(g)));
      const double share = std::exp(g - max) / total;
      ASSERT_NEAR(static_cast<double>(p[i]), share, 2e-5 * share + 1e-9);
    }
  }
}

// Keys or values as the cache gives them back.
std::vector<float> Stored(ac_kv_type type, int head_dim, std::vector<float> values) {
  if (type == AC_KV_BF16) {
    values = test::RoundedToBf16(std::move(values));
  } else if (type == AC_KV_Q8) {
    RoundInBlocks(static_cast<size_t>(head_dim), values);
  }
  return values;
}

TEST_P(KernelsTest, AttentionOverPagesAgreesWithTheFormula) {
  Kernels kernels(counted_, pool_);
  const AttentionShape shapes[] = {
      {1, 1, 64, 0, 1, 0, AC_KV_F32},       {4, 2, 64, 0, 67, 0, AC_KV_F32},
      {4, 2, 128, 63, 2, 0, AC_KV_F32},     {14, 2, 64, 130, 1, 0, AC_KV_F32},
      {7, 1, 80, 5, 33, 0, AC_KV_F32},      {8, 8, 64, 200, 17, 0, AC_KV_BF16},
      {32, 8, 128, 300, 1, 0, AC_KV_BF16},  {4, 2, 64, 0, 140, 31, AC_KV_F32},
      {4, 1, 64, 250, 15, 100, AC_KV_BF16}, {6, 2, 96, 64, 65, 1, AC_KV_F32},
      {5, 5, 32, 1, 16, 0, AC_KV_BF16},     {1, 1, 64, 0, 1, 0, AC_KV_Q8},
      {14, 2, 64, 130, 1, 0, AC_KV_Q8},     {7, 1, 80, 5, 33, 0, AC_KV_Q8},
      {32, 8, 128, 300, 1, 0, AC_KV_Q8},    {4, 1, 64, 250, 15, 100, AC_KV_Q8},
      {6, 2, 36, 64, 65, 0, AC_KV_Q8},      {8, 4, 128, 63, 17, 0, AC_KV_Q8},
  };
  for (const AttentionShape& s : shapes) {
    SCOPED_TRACE(std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) + " heads of " +
                 std::to_string(s.head_dim) + ", " + std::to_string(s.tokens) + " tokens at " +
                 std::to_string(s.position) + ", window " + std::to_string(s.window));
    const int64_t context = s.position + s.tokens, kv_row = s.kv_heads * s.head_dim;
    const auto q = Random(int64_t{s.tokens} * s.heads * s.head_dim);
    const auto k = Random(context * kv_row);
    const auto v = Random(context * kv_row);
    const Pages pages(s, random_);
    // Written in two pieces, as a follow-up prompt would.
    kernels.KvWrite(pages.view(), 0, s.position, k.data(), v.data());
    kernels.KvWrite(pages.view(), s.position, s.tokens, k.data() + s.position * kv_row,
                    v.data() + s.position * kv_row);
    std::vector<float> out(q.size());
    const float scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
    const ac_attention attention{.q = q.data(),
                                 .out = out.data(),
                                 .tokens = s.tokens,
                                 .position = s.position,
                                 .n_heads = s.heads,
                                 .scale = scale,
                                 .window = s.window,
                                 .kv = pages.view()};
    kernels.Attention({&attention, 1});
    const auto exact = test::NaiveAttention(
        s, test::QueriesTaken(*GetParam(), s.type, q), Stored(s.type, s.head_dim, k),
        Stored(s.type, s.head_dim, v), static_cast<double>(scale));
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(out[i]), exact.out[i],
                  test::AttentionTolerance(*GetParam(), s.type, exact.norm[i]))
          << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, KernelsTest, ::testing::ValuesIn(test::TestedTables()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace ac::kernels
