#include "trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "muon.h"
#include "network.h"
#include "rows.h"
#include "select_ops.h"
#include "support/temp_dir.h"

namespace ac::starter {
namespace {

weights::ModelConfig TinyShape() {
  weights::ModelConfig c;
  c.architecture = "qwen3";
  c.n_layers = 2;
  c.d_model = 24;
  c.n_heads = 4;
  c.n_kv_heads = 2;
  c.head_dim = 8;
  c.d_ff = 40;
  c.vocab_size = 50;
  c.context_length = 64;
  c.norm_eps = 1e-6f;
  c.rope.dims = c.head_dim;
  c.rope.base = 10000;
  return c;
}

struct Sample {
  std::vector<uint16_t> tokens;
  std::vector<uint8_t> weights;
  Row row() const {
    return {tokens.data(), weights.data(), static_cast<int64_t>(tokens.size()) - 1};
  }
};

// A repeated random sequence: something to learn that needs attention.
Sample RepeatedRow(int64_t length, uint64_t seed, int vocabulary) {
  std::mt19937_64 random(seed);
  Sample sample;
  for (int64_t i = 0; i <= length; ++i) {
    const auto period = static_cast<size_t>(length / 2);
    const auto at = static_cast<size_t>(i);
    sample.tokens.push_back(
        at < period ? static_cast<uint16_t>(random() % static_cast<uint64_t>(vocabulary))
                    : sample.tokens[at - period]);
    sample.weights.push_back(at < period ? (at % 3 == 0 ? 100 : 0) : 255);
  }
  return sample;
}

std::vector<float> RandomValues(int64_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) {
    values.push_back(static_cast<float>(random() % 2001) / 1000.0f - 1.0f);
  }
  return values;
}

std::vector<float> Product(const ac_train_ops& ops, bool a_transposed, bool b_transposed, int64_t m,
                           int64_t n, int64_t k, const std::vector<float>& a,
                           const std::vector<float>& b) {
  const auto up = [](int64_t x, int64_t step) { return (x + step - 1) / step * step; };
  const int64_t units = up(k, ops.pair) / ops.pair;
  std::vector<uint32_t> packed_a(static_cast<size_t>(up(m, ops.rows_a) * units));
  std::vector<uint32_t> packed_b(static_cast<size_t>(up(n, ops.columns_b) * units));
  ops.pack_a(a.data(), a_transposed ? m : k, a_transposed, m, k, packed_a.data());
  ops.pack_b(b.data(), b_transposed ? k : n, b_transposed, n, k, packed_b.data());
  std::vector<float> c(static_cast<size_t>(m * n), 0.5f);
  ops.multiply(m, n, k, packed_a.data(), packed_b.data(), c.data(), n, 1);
  return c;
}

TEST(StarterOps, EveryTableMultipliesLikeTheDefinition) {
  for (const ac_train_ops* ops : UsableOps()) {
    for (const auto& [m, n, k] :
         {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {13, 37, 7}, {24, 64, 32}, {5, 33, 63}}) {
      for (int form = 0; form < 4; ++form) {
        const bool at = form % 2 != 0;
        const bool bt = form / 2 != 0;
        const std::vector<float> a = RandomValues(m * k, 1);
        const std::vector<float> b = RandomValues(n * k, 2);
        const std::vector<float> c = Product(*ops, at, bt, m, n, k, a, b);
        const double tolerance = ops->pair == 2 ? 0.01 * static_cast<double>(k) : 1e-5;
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            double sum = 0.5;
            for (int64_t l = 0; l < k; ++l) {
              sum += static_cast<double>(a[static_cast<size_t>(at ? l * m + i : i * k + l)]) *
                     static_cast<double>(b[static_cast<size_t>(bt ? j * k + l : l * n + j)]);
            }
            ASSERT_NEAR(c[static_cast<size_t>(i * n + j)], sum, tolerance)
                << ops->name << " form " << form << " at " << i << ", " << j;
          }
        }
      }
    }
  }
}

// The slope along a random direction of each tensor against the two-sided difference.
TEST(StarterNetwork, GradientsAreTheSlopesOfTheLoss) {
  const weights::ModelConfig config = TinyShape();
  const Sample sample = RepeatedRow(20, 3, config.vocab_size);
  for (const ac_train_ops* ops : UsableOps()) {
    if (ops->pair != 1) continue;  // bf16 rounds away the small differences
    Network network(config, *ops, 20);
    const auto scratch = network.MakeScratch();
    std::vector<float> values = network.parameters().Initialize(5, config.n_layers);
    const auto loss = [&](std::span<float> gradient) {
      network.Pack(values, 0, network.matrices());
      return network.Train(sample.row(), values, 1.0f, scratch.get(), gradient).sum;
    };
    std::vector<float> gradient(values.size());
    loss(gradient);
    for (const ParameterTensor& tensor : network.parameters().tensors()) {
      const std::vector<float> direction = RandomValues(tensor.size, 7);
      double norm = 0;
      for (const float x : direction) norm += static_cast<double>(x) * static_cast<double>(x);
      const double step = 1e-2 / std::sqrt(norm);
      const std::vector<float> before = values;
      double slope = 0;
      double losses[2];
      for (int side = 0; side < 2; ++side) {
        values = before;
        for (int64_t i = 0; i < tensor.size; ++i) {
          const auto at = static_cast<size_t>(tensor.offset + i);
          const double move = (side == 0 ? step : -step) * direction[static_cast<size_t>(i)];
          values[at] += static_cast<float>(move);
          if (side == 0) slope += gradient[at] * direction[static_cast<size_t>(i)];
        }
        losses[side] = loss({});
      }
      values = before;
      const double measured = (losses[0] - losses[1]) / (2 * step);
      EXPECT_NEAR(measured, slope, 0.005 * std::abs(slope) + 0.002)
          << ops->name << " " << tensor.name;
    }
  }
}

TEST(StarterNetwork, EveryTableComputesTheSameLossAndGradient) {
  const weights::ModelConfig config = TinyShape();
  const Sample sample = RepeatedRow(37, 4, config.vocab_size);
  std::vector<float> first;
  double first_loss = 0;
  for (const ac_train_ops* ops : UsableOps()) {
    Network network(config, *ops, 37);
    const std::vector<float> values = network.parameters().Initialize(6, config.n_layers);
    network.Pack(values, 0, network.matrices());
    std::vector<float> gradient(values.size());
    const auto scratch = network.MakeScratch();
    const Loss loss = network.Train(sample.row(), values, 1.0f, scratch.get(), gradient);
    if (first.empty()) {
      first = gradient;
      first_loss = loss.sum;
      continue;
    }
    double same = 0, a = 0, b = 0;
    for (size_t i = 0; i < gradient.size(); ++i) {
      same += static_cast<double>(gradient[i]) * static_cast<double>(first[i]);
      a += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
      b += static_cast<double>(first[i]) * static_cast<double>(first[i]);
    }
    EXPECT_GT(same / std::sqrt(a * b), ops->pair == 2 ? 0.999 : 0.999999) << ops->name;
    EXPECT_NEAR(loss.sum, first_loss, 0.01 * first_loss) << ops->name;
  }
}

TEST(StarterMuon, AStepIsNearlyOrthogonalInBothShapes) {
  for (const ac_train_ops* ops : UsableOps()) {
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{6, 20}, {20, 6}}) {
      const std::vector<float> g = RandomValues(rows * columns, 11);
      std::vector<float> w(g.size()), momentum(g.size());
      MuonScratch scratch;
      MuonStep(*ops, rows, columns, g.data(), 1.0f, 0.9f, 1.0f, 0.0f, w.data(), momentum.data(),
               &scratch);
      // Of w's Gram matrix over the lower dimension, the diagonal is near size^2 and the rest
      // small.
      const double square = 0.04 * 20;
      for (int64_t i = 0; i < 6; ++i) {
        for (int64_t j = 0; j < 6; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < 20; ++k) {
            const auto a = static_cast<size_t>(rows == 6 ? i * 20 + k : k * 6 + i);
            const auto b = static_cast<size_t>(rows == 6 ? j * 20 + k : k * 6 + j);
            sum += static_cast<double>(w[a]) * static_cast<double>(w[b]);
          }
          EXPECT_NEAR(sum / square, i == j ? 1.0 : 0.0, 0.6) << ops->name << " " << i << "," << j;
        }
      }
      double against = 0;
      for (size_t i = 0; i < g.size(); ++i) against += static_cast<double>(w[i] * g[i]);
      EXPECT_LT(against, -1.0) << "moves down the gradient";
    }
  }
}

TEST(StarterTrainer, LearnsToRepeatWhatItSaw) {
  const weights::ModelConfig config = TinyShape();
  Network network(config, *UsableOps().back(), 24);
  cpu::ThreadPool pool({.threads = 2});
  Trainer trainer(&network, {.steps = 150, .warmup = 10, .rate = 1e-2}, &pool);
  std::vector<Sample> samples;
  for (uint64_t i = 0; i < 8; ++i) samples.push_back(RepeatedRow(24, i, config.vocab_size));
  std::vector<Row> rows;
  for (const Sample& sample : samples) rows.push_back(sample.row());
  const double before = trainer.Evaluate(rows);
  for (int i = 0; i < 150; ++i) trainer.Step(rows);
  EXPECT_GT(before, 3.0);
  EXPECT_LT(trainer.Evaluate(rows), 0.3);
}

TEST(StarterTrainer, AContinuedTrainingIsTheUninterruptedOne) {
  const weights::ModelConfig config = TinyShape();
  const testing::TempDir folder;
  const std::string path = folder.path() + "/checkpoint";
  Network network(config, *UsableOps().back(), 16);
  const Sample sample = RepeatedRow(16, 9, config.vocab_size);
  const Row row = sample.row();
  cpu::ThreadPool two({.threads = 2});
  Trainer whole(&network, {}, &two);
  for (int i = 0; i < 6; ++i) whole.Step({&row, 1});

  Network other(config, *UsableOps().back(), 16);
  cpu::ThreadPool one({.threads = 1});
  {
    Trainer begin(&other, {}, &one);
    for (int i = 0; i < 3; ++i) begin.Step({&row, 1});
    ASSERT_TRUE(begin.Save(path, FileSystem::Real()).ok());
  }
  Trainer rest(&other, {.seed = 77}, &one);
  ASSERT_TRUE(rest.Load(path, FileSystem::Real()).ok());
  for (int i = 0; i < 3; ++i) rest.Step({&row, 1});
  EXPECT_EQ(std::vector<float>(rest.values().begin(), rest.values().end()),
            std::vector<float>(whole.values().begin(), whole.values().end()));
}

TEST(StarterTrainer, DamagedFilesAreRefused) {
  const testing::TempDir folder;
  const std::string path = folder.path() + "/file";
  FileSystem& fs = FileSystem::Real();
  Network network(TinyShape(), *UsableOps().back(), 8);
  cpu::ThreadPool pool({.threads = 1});
  Trainer trainer(&network, {}, &pool);
  ASSERT_TRUE(trainer.Save(path, fs).ok());
  std::string content = *ReadFile(fs, path);
  content.pop_back();
  ASSERT_TRUE(WriteFileAtomic(fs, path, content).ok());
  EXPECT_THAT(trainer.Load(path, fs).message(), ::testing::HasSubstr("no checkpoint"));

  EXPECT_THAT(RowFile::Open(path, 50, fs).status().message(), ::testing::HasSubstr("file of rows"));
  std::string rows("ACROWS01\x01\0\0\0\x01\0\0\0", 16);
  rows += std::string("\x01\0\x31\0", 4) + std::string(2, '\xFF');
  ASSERT_TRUE(WriteFileAtomic(fs, path, rows).ok());
  EXPECT_TRUE(RowFile::Open(path, 50, fs).ok());
  EXPECT_THAT(RowFile::Open(path, 0x31, fs).status().message(), ::testing::HasSubstr("no token"));
  rows.pop_back();
  ASSERT_TRUE(WriteFileAtomic(fs, path, rows).ok());
  EXPECT_THAT(RowFile::Open(path, 50, fs).status().message(), ::testing::HasSubstr("size"));
}

}  // namespace
}  // namespace ac::starter
