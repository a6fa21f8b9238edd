// The engine runs what the trainer trained: the same loss from both.
#include "export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "network.h"
#include "select_ops.h"
#include "support/model_runner.h"
#include "support/temp_dir.h"

namespace ac::starter {
namespace {

weights::ModelConfig Shape() {
  weights::ModelConfig c;
  c.architecture = "qwen3";
  c.name = "export test";
  c.n_layers = 3;
  c.d_model = 64;
  c.n_heads = 4;
  c.n_kv_heads = 2;
  c.head_dim = 32;
  c.d_ff = 96;
  c.vocab_size = 300;
  c.context_length = 512;
  c.sliding_window = 128;
  c.norm_eps = 1e-6f;
  c.rope.dims = c.head_dim;
  c.rope.base = 10000;
  return c;
}

// Bytes as they are, then 44 unused tokens.
std::string Vocabulary() {
  std::string tokens, types;
  for (int i = 0; i < 300; ++i) {
    tokens += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + "\"";
    types += i == 0 ? "1" : ",1";
  }
  return R"({"pre":"deepseek-coder","end":1,"tokens":[)" + tokens + R"(],"types":[)" + types +
         R"(],"merges":[]})";
}

TEST(StarterExport, TheEngineComputesTheTrainersLoss) {
  const weights::ModelConfig config = Shape();
  const testing::TempDir folder;
  const std::string path = folder / "model.gguf";
  Network network(config, *UsableOps().front(), 100);
  std::vector<float> values = network.parameters().Initialize(3, config.n_layers);
  std::mt19937_64 random(4);
  // Norms that are not one: a forgotten one must show.
  for (const ParameterTensor& tensor : network.parameters().tensors()) {
    if (tensor.is_matrix()) continue;
    for (int64_t i = 0; i < tensor.size; ++i) {
      values[static_cast<size_t>(tensor.offset + i)] =
          0.5f + static_cast<float>(random() % 1000) / 1000.0f;
    }
  }
  network.Pack(values, 0, network.matrices());
  std::vector<uint16_t> tokens;
  std::vector<uint8_t> counted;
  for (int i = 0; i <= 100; ++i) {
    tokens.push_back(static_cast<uint16_t>(random() % 300));
    counted.push_back(255);
  }
  const Row row{tokens.data(), counted.data(), 100};
  const double trained = network.Train(row, values, 1.0f, network.MakeScratch().get(), {}).sum;

  const ExportInputs inputs{.vocabulary = Vocabulary(),
                            .chat_template = "{{ messages[0].content }}",
                            .card = R"({"general.license":"mit","anyclaude.card.calls":91.5})"};
  const Status written =
      Export(config, network.parameters(), values, inputs, path, FileSystem::Real());
  ASSERT_TRUE(written.ok()) << written;
  auto runner = testing::ModelRunner::Open(path, {});
  ASSERT_TRUE(runner.ok()) << runner.status();
  testing::ModelRunner::Sequence sequence;
  const auto logits =
      (*runner)->Run({{&sequence, {tokens.begin(), tokens.end() - 1}, model::LogitRows::kAll}});
  ASSERT_TRUE(logits.ok()) << logits.status();
  double computed = 0;
  for (size_t i = 0; i < 100; ++i) {
    double sum = 0;
    for (const float x : (*logits)[i]) sum += std::exp(static_cast<double>(x));
    computed += std::log(sum) - static_cast<double>((*logits)[i][tokens[i + 1]]);
  }
  EXPECT_NEAR(computed, trained, 1e-3 * trained);
}

TEST(StarterExport, AVocabularyOfAnotherSizeIsRefused) {
  weights::ModelConfig config = Shape();
  config.vocab_size = 299;
  const Parameters parameters(config);
  const std::vector<float> values(static_cast<size_t>(parameters.size()));
  const testing::TempDir folder;
  const Status status = Export(config, parameters, values,
                               {.vocabulary = Vocabulary(), .chat_template = "", .card = "{}"},
                               folder / "model.gguf", FileSystem::Real());
  EXPECT_NE(status.message().find("299"), std::string::npos) << status;
  EXPECT_FALSE(FileSystem::Real().Exists(folder / "model.gguf"));
}

}  // namespace
}  // namespace ac::starter
