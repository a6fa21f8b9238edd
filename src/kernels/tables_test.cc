// Tables against each other and against themselves: the same bits however work is cut.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>

#include "kernels/kernels.h"
#include "support/kernel_data.h"
#include "support/naive_attention.h"

namespace ac::kernels {
namespace {

using test::AttentionShape;
using test::Matrix;
using test::Pages;
using test::RandomMatrix;
using test::TestedTables;

std::vector<float> Random(int64_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = normal(random);
  return values;
}

std::vector<float> MatMul(const ac_kernel_table& table, const Matrix& m, std::span<const float> x,
                          int threads = 1) {
  cpu::ThreadPool pool(cpu::ThreadPool::Options{.threads = threads});
  Kernels kernels(table, pool);
  const int64_t tokens = static_cast<int64_t>(x.size()) / m.view.cols;
  std::vector<float> out(static_cast<size_t>(tokens * m.view.rows));
  const Product product{.x = x.data(), .tokens = tokens, .weights = &m.view, .out = out.data()};
  kernels.MatMul({&product, 1});
  return out;
}

// Keys and values in a cache, and queries at its end.
struct Context {
  Context(const AttentionShape& s, std::mt19937& random)
      : shape(s),
        pages(s, random),
        q(Random(int64_t{s.tokens} * s.heads * s.head_dim, random)),
        k(Random(int64_t{s.position + s.tokens} * s.kv_heads * s.head_dim, random)),
        v(Random(static_cast<int64_t>(k.size()), random)) {}

  void Write(const ac_kernel_table& table) const {
    table.kv_write(&pages.view(), 0, shape.position + shape.tokens, k.data(), v.data());
  }
  // Queries [begin, end).
  ac_attention Part(int64_t begin, int64_t end, std::vector<float>& out) const {
    const int64_t row = int64_t{shape.heads} * shape.head_dim;
    return {.q = q.data() + begin * row,
            .out = out.data() + begin * row,
            .tokens = end - begin,
            .position = shape.position + begin,
            .n_heads = shape.heads,
            .scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim)),
            .window = shape.window,
            .kv = pages.view()};
  }

  AttentionShape shape;
  Pages pages;
  std::vector<float> q, k, v;
};

// `step` queries at a time.
std::vector<float> Attend(const ac_kernel_table& table, const Context& c, int threads,
                          int64_t step) {
  cpu::ThreadPool pool(cpu::ThreadPool::Options{.threads = threads});
  Kernels kernels(table, pool);
  c.Write(table);
  std::vector<float> out(c.q.size());
  for (int64_t t = 0; t < c.shape.tokens; t += step) {
    const ac_attention a = c.Part(t, std::min<int64_t>(t + step, c.shape.tokens), out);
    kernels.Attention({&a, 1});
  }
  return out;
}

std::string Describe(const AttentionShape& s) {
  return std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) + " heads of " +
         std::to_string(s.head_dim) + ", " + std::to_string(s.tokens) + " tokens at " +
         std::to_string(s.position) + ", window " + std::to_string(s.window) + ", type " +
         std::to_string(s.type);
}

class TablesTest : public ::testing::TestWithParam<const ac_kernel_table*> {};

TEST_P(TablesTest, AProductHasTheSameBitsAloneAndAmongOthers) {
  std::mt19937 random(11);
  for (int type = 0; type < AC_QUANT_TYPE_COUNT; ++type) {
    const auto quant_type = static_cast<ac_quant_type>(type);
    const int64_t block = test::BlockOf(quant_type);
    const int64_t cols = block == 1 ? 91 : block * 3;
    const int64_t tokens = 37;
    const Matrix m = RandomMatrix(quant_type, 21, cols, random);
    const auto x = Random(tokens * cols, random);
    const auto all = MatMul(*GetParam(), m, x, 3);
    for (const int64_t count : {1, 2, 5, 7, 8, 9, 16, 17}) {
      for (int64_t t = 0; t + count <= tokens; t += 10) {
        const auto some = MatMul(
            *GetParam(), m,
            std::span(x).subspan(static_cast<size_t>(t * cols), static_cast<size_t>(count * cols)));
        ASSERT_EQ(0, std::memcmp(some.data(), &all[static_cast<size_t>(t * m.view.rows)],
                                 some.size() * sizeof(float)))
            << quant::InfoOf(quant_type).name << " tokens " << t << " + " << count;
      }
    }
  }
}

// Counts at which loops change, over rows of several tiles whose last one is not full.
TEST_P(TablesTest, AHandfulOfTokensHasTheBitsOfOneOverWideRows) {
  std::mt19937 random(13);
  for (int type = 0; type < AC_QUANT_TYPE_COUNT; ++type) {
    const auto quant_type = static_cast<ac_quant_type>(type);
    const int64_t block = test::BlockOf(quant_type);
    const int64_t tokens = 34;
    for (const int64_t cols : {block == 1 ? 300 : 1024 + 3 * block, 2304l}) {
      const Matrix m = RandomMatrix(quant_type, 19, cols, random);
      const auto x = Random(tokens * cols, random);
      std::vector<float> alone;
      for (int64_t t = 0; t < tokens; ++t) {
        const auto one =
            MatMul(*GetParam(), m,
                   std::span(x).subspan(static_cast<size_t>(t * cols), static_cast<size_t>(cols)));
        alone.insert(alone.end(), one.begin(), one.end());
      }
      for (const int64_t count : {2, 3, 4, 6, 13, 15, 24, 25, 34}) {
        const auto some =
            MatMul(*GetParam(), m, std::span(x).first(static_cast<size_t>(count * cols)));
        ASSERT_EQ(0, std::memcmp(some.data(), alone.data(), some.size() * sizeof(float)))
            << quant::InfoOf(quant_type).name << ", " << cols << " columns, " << count << " tokens";
      }
    }
  }
}

TEST_P(TablesTest, AttentionHasTheSameBitsForEveryThreadCountAndCutOfThePrompt) {
  std::mt19937 random(12);
  const AttentionShape shapes[] = {
      // Contexts of several ranges, with few heads, so that ranges are shared out.
      {7, 1, 64, 2500, 9, 0, AC_KV_BF16},   {4, 2, 128, 1020, 21, 0, AC_KV_BF16},
      {14, 2, 64, 3070, 5, 0, AC_KV_Q8},    {3, 1, 80, 1100, 17, 0, AC_KV_Q8},
      {2, 2, 64, 2047, 3, 1500, AC_KV_F32}, {8, 1, 64, 1023, 18, 100, AC_KV_BF16},
      {5, 1, 36, 1090, 4, 0, AC_KV_F32},
  };
  for (const AttentionShape& s : shapes) {
    SCOPED_TRACE(Describe(s));
    const Context context(s, random);
    const auto whole = Attend(*GetParam(), context, 1, s.tokens);
    EXPECT_EQ(whole, Attend(*GetParam(), context, 3, s.tokens));
    EXPECT_EQ(whole, Attend(*GetParam(), context, 1, 1));
    EXPECT_EQ(whole, Attend(*GetParam(), context, 5, 1));
    EXPECT_EQ(whole, Attend(*GetParam(), context, 2, 2));
  }
}

TEST_P(TablesTest, SequencesThatShareAPrefixGetTheBitsTheyGetAlone) {
  std::mt19937 random(13);
  for (const auto type : {AC_KV_F32, AC_KV_BF16, AC_KV_Q8}) {
    const AttentionShape shape{6, 2, 64, 1150, 4, 0, type};
    SCOPED_TRACE(Describe(shape));
    const Context context(shape, random);
    context.Write(*GetParam());
    // Each token of the context stands for a sequence of its own.
    std::vector<float> alone(context.q.size()), shared(context.q.size());
    std::vector<ac_attention> members;
    cpu::ThreadPool pool(cpu::ThreadPool::Options{.threads = 2});
    Kernels kernels(*GetParam(), pool);
    for (int64_t t = 0; t < shape.tokens; ++t) {
      const ac_attention a = context.Part(t, t + 1, alone);
      kernels.Attention({&a, 1});
      members.push_back(context.Part(t, t + 1, shared));
    }
    const SharedPrefix prefix{.members = {0, 1, 2, 3}, .positions = 1088};
    kernels.Attention(members, {&prefix, 1});
    EXPECT_EQ(alone, shared);
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, TablesTest, ::testing::ValuesIn(TestedTables()),
                         [](const auto& test) { return std::string(test.param->name); });

// Random shapes, the same for all tables: whatever they compute, they agree.
class DifferentialTest : public ::testing::TestWithParam<int> {
 protected:
  std::mt19937 random_{static_cast<uint32_t>(GetParam())};
  int64_t Pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
};

TEST_P(DifferentialTest, ProductsOfAllTablesAgree) {
  const auto type = static_cast<ac_quant_type>(Pick(0, AC_QUANT_TYPE_COUNT - 1));
  const int64_t block = test::BlockOf(type);
  const int64_t cols = block == 1 ? Pick(1, 200) : block * Pick(1, 700 / block);
  const int64_t rows = Pick(1, 70), tokens = Pick(1, 40);
  SCOPED_TRACE(std::string(quant::InfoOf(type).name) + " " + std::to_string(rows) + "x" +
               std::to_string(cols) + " tokens " + std::to_string(tokens));
  const Matrix m = RandomMatrix(type, rows, cols, random_);
  auto x = Random(tokens * cols, random_);
  // Inputs of very different sizes, as activations are.
  for (float& v : x) v *= std::exp2(static_cast<float>(Pick(-8, 8)));
  const auto exact = MatMul(ac_kernels_ref, m, x);
  std::map<std::string, std::vector<float>> results;
  for (const ac_kernel_table* table : TestedTables()) {
    auto& got = results[table->name] = MatMul(*table, m, x, 2);
    for (int64_t t = 0; t < tokens; ++t) {
      double size = 0;
      for (int64_t c = 0; c < cols; ++c) {
        size += std::abs(static_cast<double>(x[static_cast<size_t>(t * cols + c)]));
      }
      for (int64_t r = 0; r < rows; ++r) {
        std::vector<float> row(static_cast<size_t>(cols));
        quant::DequantizeRow(m.view, r, row.data());
        float max = 0;
        for (float w : row) max = std::max(max, std::abs(w));
        const auto at = static_cast<size_t>(t * rows + r);
        ASSERT_NEAR(static_cast<double>(got[at]), static_cast<double>(exact[at]),
                    0x1p-18 * static_cast<double>(max) * size + 1e-12)
            << table->name << " row " << r << " token " << t;
      }
    }
  }
  if (results.contains("amx_emulated")) {
    EXPECT_EQ(results["amx_emulated"], results["avx512"]) << "tiles promise the vectors' bits";
  }
}

TEST_P(DifferentialTest, AttentionOfAllTablesAgrees) {
  AttentionShape s;
  const int group = static_cast<int>(Pick(1, 8));
  s.kv_heads = static_cast<int>(Pick(1, 3));
  s.heads = group * s.kv_heads;
  s.head_dim = 4 * static_cast<int>(Pick(1, 40));
  s.position = static_cast<int>(Pick(0, 1) * Pick(0, 1200));
  s.tokens = static_cast<int>(Pick(1, 40));
  s.window = Pick(0, 2) == 0 ? static_cast<int>(Pick(1, 300)) : 0;
  s.type = static_cast<ac_kv_type>(Pick(0, 2));
  SCOPED_TRACE(Describe(s));
  Context context(s, random_);
  const auto exact = Attend(ac_kernels_ref, context, 1, s.tokens);
  const auto naive = test::NaiveAttention(s, context.q, context.k, context.v,
                                          1 / std::sqrt(static_cast<double>(s.head_dim)));
  const auto q = context.q;
  context.q = test::RoundedToBf16(q);
  const auto exact_of_rounded = Attend(ac_kernels_ref, context, 1, s.tokens);
  context.q = q;
  for (const ac_kernel_table* table : TestedTables()) {
    const auto got = Attend(*table, context, 2, s.tokens);
    const auto& expected = test::Rounds(*table, s.type) ? exact_of_rounded : exact;
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(got[i]), static_cast<double>(expected[i]),
                  1e-5 + test::AttentionTolerance(*table, s.type, naive.norm[i]))
          << table->name << " at " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DifferentialTest, ::testing::Range(1, 41));

}  // namespace
}  // namespace ac::kernels
