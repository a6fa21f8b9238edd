#include "weights/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>

#include "quant/quant.h"
#include "support/shared_data.h"
#include "support/weight_files.h"
#include "weights/gguf.h"
#include "weights/synth.h"

namespace ac::weights {
namespace {

using ac::testing::ExpectFailure;
using ac::testing::TempPath;

std::string SynthPath(const std::string& shape, Recipe recipe) {
  std::string path = TempPath(shape + ".gguf");
  const Status status = Synthesize({shape, recipe, 3}, path, FileSystem::Real(), {});
  EXPECT_TRUE(status.ok()) << status;
  return path;
}

// One tensor or metadata entry of a file that is about to be written again.
struct Parts {
  std::vector<std::pair<GgufTensorSpec, std::string>> tensors;
  std::map<std::string, GgufValue> metadata;

  std::pair<GgufTensorSpec, std::string>& Tensor(const std::string& name) {
    for (auto& tensor : tensors) {
      if (tensor.first.name == name) return tensor;
    }
    ADD_FAILURE() << name;
    return tensors.front();
  }
};

// Opens the model at `path` after `change` edited it.
Status OpenChanged(const std::string& path, const std::function<void(Parts*)>& change) {
  Result<GgufFile> file = GgufFile::Open(path);
  EXPECT_TRUE(file.ok()) << file.status();
  Parts parts;
  for (const GgufMetadata::Entry& entry : file->metadata().entries()) {
    parts.metadata[std::string(entry.key)] = entry.value;
  }
  for (const GgufTensor& t : file->tensors()) {
    parts.tensors.push_back(
        {{std::string(t.name), t.type, {t.dims.begin(), t.dims.begin() + t.n_dims}},
         std::string(reinterpret_cast<const char*>(t.data.data()), t.data.size())});
  }
  change(&parts);
  GgufMetadataBuilder metadata;
  for (const auto& [key, value] : parts.metadata) metadata.AddCopy(key, value);
  std::vector<GgufTensorSpec> specs;
  for (const auto& tensor : parts.tensors) specs.push_back(tensor.first);
  const std::string changed = path + ".changed.gguf";
  auto writer = GgufWriter::Create(FileSystem::Real(), changed, metadata, specs);
  EXPECT_TRUE(writer.ok()) << writer.status();
  for (const auto& tensor : parts.tensors) {
    EXPECT_TRUE((*writer)->Append(std::as_bytes(std::span(tensor.second))).ok());
  }
  EXPECT_TRUE((*writer)->Finish().ok());
  return ModelFile::Open(changed).status();
}

GgufValue Text(std::string_view text) {
  GgufValue value;
  value.type = GgufType::kString;
  value.bytes = std::as_bytes(std::span(text));
  return value;
}

// These view static storage.
GgufValue Number(const float& number) {
  GgufValue value;
  value.type = GgufType::kFloat32;
  value.bytes = std::as_bytes(std::span(&number, 1));
  return value;
}

GgufValue Number(const uint32_t& number) {
  GgufValue value;
  value.type = GgufType::kUint32;
  value.bytes = std::as_bytes(std::span(&number, 1));
  return value;
}

TEST(GgufModel, WhatDoesNotFitTheArchitectureIsNamed) {
  static constexpr uint32_t kTwo = 2;
  static constexpr uint32_t kThousand = 1000;
  static constexpr uint32_t kZero = 0;
  const std::string path = SynthPath("tiny-qwen2", Recipe::kQ4_0);
  const auto changed = [&](const std::function<void(Parts*)>& change) {
    return OpenChanged(path, change);
  };
  EXPECT_TRUE(changed([](Parts*) {}).ok());
  ExpectFailure(changed([](Parts* p) { p->metadata["general.architecture"] = Text("mamba"); }),
                {"changed.gguf", "'mamba'", "supported:", "qwen3moe"});
  ExpectFailure(changed([](Parts* p) { p->metadata.erase("qwen2.block_count"); }),
                {"qwen2.block_count", "missing"});
  ExpectFailure(changed([](Parts* p) { p->metadata["qwen2.block_count"] = Text("3"); }),
                {"qwen2.block_count", "integer"});
  ExpectFailure(changed([](Parts* p) { p->metadata["qwen2.block_count"] = Number(kZero); }),
                {"number of layers"});
  ExpectFailure(changed([](Parts* p) { p->metadata["qwen2.block_count"] = Number(kTwo); }),
                {"blk.2.", "not part of the qwen2"});
  ExpectFailure(
      changed([](Parts* p) { p->metadata["qwen2.attention.key_length"] = Number(kThousand); }),
      {"keys and values"});
  ExpectFailure(
      changed([](Parts* p) { p->metadata["qwen2.rope.scaling.type"] = Text("longrope"); }),
      {"longrope", "yarn"});
  ExpectFailure(changed([](Parts* p) {
                  std::erase_if(p->tensors,
                                [](auto& t) { return t.first.name == "blk.1.attn_k.bias"; });
                }),
                {"blk.1.attn_k.bias", "missing"});
  ExpectFailure(changed([](Parts* p) {
                  p->Tensor("blk.1.attn_q.weight").first.dims = {512, 128};
                }),
                {"blk.1.attn_q.weight", "[512, 128]", "[256, 256]"});
  ExpectFailure(changed([](Parts* p) {
                  p->Tensor("blk.0.attn_norm.weight").first.name = "blk.0.odd.weight";
                }),
                {"blk.0.attn_norm.weight", "missing"});
  ExpectFailure(changed([](Parts* p) {
                  p->tensors.push_back({{"blk.0.odd.weight", AC_F32, {1}}, "abcd"});
                }),
                {"blk.0.odd.weight", "not part of"});
  ExpectFailure(
      changed([](Parts* p) {
        p->Tensor("output_norm.weight").second.replace(4, 4, std::string("\0\0\x80\x7F", 4));
      }),
      {"output_norm.weight", "infinity", "column 1"});
  ExpectFailure(changed([](Parts* p) {
                  auto& [spec, data] = p->Tensor("blk.0.attn_norm.weight");
                  spec.type = AC_Q4_0;
                  data.resize(144);
                }),
                {"blk.0.attn_norm.weight", "Q4_0", "F32"});
}

TEST(GgufModel, AVocabularyLargerThanTheEmbeddingIsRefused) {
  const std::string path = SynthPath("tiny-qwen2", Recipe::kF16);
  const Status status = OpenChanged(path, [](Parts* p) {
    auto& [spec, data] = p->Tensor("token_embd.weight");
    spec.dims = {256, 1000};
    data.resize(256 * 1000 * 2);
  });
  ExpectFailure(status, {"1024 tokens", "token_embd.weight", "1000 rows"});
}

TEST(GgufModel, NanInBlockScalesIsFoundByTheFullCheck) {
  const std::string path = SynthPath("tiny-qwen2", Recipe::kQ4_0);
  EXPECT_TRUE(
      OpenChanged(path,
                  [](Parts* p) {
                    p->Tensor("blk.2.ffn_up.weight").second.replace(18 * 8 * 5, 2, "\xFF\x7F");
                  })
          .ok())
      << "opening does not read 17 GB";
  const auto model = ModelFile::Open(path + ".changed.gguf");
  ASSERT_TRUE(model.ok());
  const Status status = CheckFinite(*(*model)->Find("blk.2.ffn_up.weight"));
  ExpectFailure(status, {"blk.2.ffn_up.weight", "row 5, column 0"});
  EXPECT_TRUE(CheckFinite(*(*model)->Find("blk.1.ffn_up.weight")).ok());
}

TEST(GgufModel, YarnAndTemperatureKeysReachTheConfig) {
  const std::string path = SynthPath("tiny-llama", Recipe::kF16);
  static constexpr float kFactor = 16;
  static constexpr float kOne = 1;
  static constexpr float kTenth = 0.1f;
  static constexpr uint32_t kOriginal = 16384;
  const Status status = OpenChanged(path, [&](Parts* p) {
    std::map<std::string, GgufValue> renamed;
    for (const auto& [key, value] : p->metadata) {
      renamed[key.starts_with("llama.") ? "mistral3" + key.substr(5) : key] = value;
    }
    p->metadata = renamed;
    p->metadata["general.architecture"] = Text("mistral3");
    p->metadata["mistral3.rope.scaling.type"] = Text("yarn");
    p->metadata["mistral3.rope.scaling.factor"] = Number(kFactor);
    p->metadata["mistral3.rope.scaling.yarn_log_multiplier"] = Number(kOne);
    p->metadata["mistral3.rope.scaling.original_context_length"] = Number(kOriginal);
    p->metadata["mistral3.attention.temperature_scale"] = Number(kTenth);
  });
  ASSERT_TRUE(status.ok()) << status;
  const auto model = ModelFile::Open(path + ".changed.gguf");
  const ModelConfig& c = (*model)->config();
  EXPECT_EQ(c.architecture, "llama");
  EXPECT_EQ(c.rope.style, RopeStyle::kNormal);
  EXPECT_EQ(c.rope.scaling, RopeScaling::kYarn);
  EXPECT_FLOAT_EQ(c.rope.attention_factor, 1.0f) << "the log multiplier of 1 cancels the growth";
  EXPECT_EQ(c.attention_temperature, 0.1f);
  EXPECT_EQ(c.attention_temperature_floor, 16384);
}

TEST(GgufModel, MemoryWarningsCarryNumbers) {
  const auto model = ModelFile::Open(SynthPath("tiny-qwen2", Recipe::kF16));
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(MemoryWarning(**model, uint64_t{1} << 40), "");
  EXPECT_NE(MemoryWarning(**model, 1000).find("GB of weights"), std::string::npos);
}

TEST(GgufModel, NumbersThatLongContextsDivideByAreChecked) {
  const std::string path = SynthPath("tiny-qwen2", Recipe::kQ4_0);
  static constexpr float kFour = 4;
  static constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  static constexpr uint32_t kZero = 0;
  const auto yarn = [&](const char* key, const GgufValue& value) {
    return OpenChanged(path, [&](Parts* p) {
      p->metadata["qwen2.rope.scaling.type"] = Text("yarn");
      p->metadata["qwen2.rope.scaling.factor"] = Number(kFour);
      p->metadata["qwen2." + std::string(key)] = value;
    });
  };
  EXPECT_TRUE(yarn("rope.scaling.yarn_beta_fast", Number(kFour)).ok());
  ExpectFailure(yarn("rope.scaling.yarn_beta_fast", Number(kNan)), {"yarn betas"});
  ExpectFailure(yarn("rope.scaling.attn_factor", Number(kNan)), {"attention factor"});
  ExpectFailure(yarn("rope.scaling.factor", Number(kNan)), {"scaling factor"});
  ExpectFailure(yarn("rope.scaling.original_context_length", Number(kZero)), {"original context"});
  ExpectFailure(yarn("attention.temperature_scale", Number(kNan)), {"attention temperature"});
  ExpectFailure(yarn("rope.freq_base", Number(kNan)), {"rope base"});
  ExpectFailure(yarn("attention.layer_norm_rms_epsilon", Number(kNan)), {"norm epsilon"});
}

TEST(Convert, EveryRecipeKeepsTheWeightsWithinItsError) {
  const std::map<Recipe, double> bounds = {
      {Recipe::kF32, 0.0},    {Recipe::kF16, 0.0},   {Recipe::kBF16, 0.003},
      {Recipe::kQ8_0, 0.01},  {Recipe::kQ6_K, 0.03}, {Recipe::kQ5_K_M, 0.05},
      {Recipe::kQ4_K_M, 0.1}, {Recipe::kQ4_K, 0.1},  {Recipe::kQ4_0, 0.11}};
  for (const auto& [recipe, bound] : bounds) {
    // The mixture of experts once, for its three-dimensional tensors; it is larger.
    const bool experts = recipe == Recipe::kQ4_K_M;
    const std::string path = SynthPath(experts ? "tiny-qwen3moe" : "tiny-qwen2", Recipe::kF16);
    const auto original = ModelFile::Open(path);
    ASSERT_TRUE(original.ok());
    const std::string out = TempPath("out.gguf");
    uint64_t last = 0;
    uint64_t total = 0;
    const Status status =
        ConvertModel(path, out, recipe, FileSystem::Real(),
                     [&](uint64_t done, uint64_t all) { last = done, total = all; });
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(last, total) << "progress ends at the end";
    const auto copy = ModelFile::Open(out);
    ASSERT_TRUE(copy.ok()) << copy.status();
    EXPECT_EQ((*copy)->tokenizer_source().chat_template,
              (*original)->tokenizer_source().chat_template);
    double error = 0;
    double power = 0;
    for (const Tensor& a : (*original)->tensors()) {
      const Tensor& b = *(*copy)->Find(a.name);
      std::vector<float> x(static_cast<size_t>(a.matrix.cols));
      std::vector<float> y(x.size());
      for (int64_t r = 0; r < a.matrix.rows; ++r) {
        quant::DequantizeRow(a.matrix, r, x.data());
        quant::DequantizeRow(b.matrix, r, y.data());
        for (size_t c = 0; c < x.size(); ++c) {
          error += (x[c] - y[c]) * (x[c] - y[c]);
          power += x[c] * x[c];
        }
      }
    }
    EXPECT_LE(std::sqrt(error / power), bound);
  }
}

TEST(Convert, QuantisedSourcesAreRefused) {
  const std::string path = SynthPath("tiny-qwen2", Recipe::kQ4_0);
  const Status status =
      ConvertModel(path, TempPath("o.gguf"), Recipe::kQ8_0, FileSystem::Real(), {});
  ExpectFailure(status, {"quantised already", "original"});
}

TEST(Convert, ABadWeightStopsTheConversionAndLeavesNoFile) {
  const std::string path = SynthPath("tiny-qwen2", Recipe::kF16);
  const Status opened = OpenChanged(path, [](Parts* p) {
    p->Tensor("blk.1.ffn_gate.weight").second.replace((7 * 256 + 9) * 2, 2, "\xFF\x7F");
  });
  ASSERT_TRUE(opened.ok()) << opened;
  const std::string directory = TempPath("dir");
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  const Status status = ConvertModel(path + ".changed.gguf", directory + "/o.gguf", Recipe::kQ4_K_M,
                                     FileSystem::Real(), {});
  ExpectFailure(status, {"blk.1.ffn_gate.weight", "row 7", "column 9", "NaN"});
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST(Convert, RowsThatDoNotDivideGetATypeThatFits) {
  const int64_t narrow[] = {896, 128};
  EXPECT_EQ(RecipeType(Recipe::kQ4_K_M, "blk.0.attn_q.weight", narrow, 24, true), AC_Q5_0);
  EXPECT_EQ(RecipeType(Recipe::kQ6_K, "blk.0.attn_q.weight", narrow, 24, true), AC_Q8_0);
  EXPECT_EQ(RecipeType(Recipe::kQ4_0, "token_embd.weight", narrow, 24, true), AC_Q8_0);
  const int64_t odd[] = {100, 128};
  EXPECT_EQ(RecipeType(Recipe::kQ4_0, "blk.0.attn_q.weight", odd, 24, true), AC_F16);
}

// The golden files were written by another program under these recipe names.
TEST(Convert, RecipesChooseTheTypesThatPublicFilesOfThatNameHave) {
  AC_REQUIRE_SHARED_DATA();
  const std::pair<const char*, Recipe> files[] = {
      {"llama-Q4_K_M", Recipe::kQ4_K_M}, {"qwen2-Q4_K_M", Recipe::kQ4_K_M},
      {"qwen3-Q4_K_M", Recipe::kQ4_K_M}, {"qwen3moe-Q4_K_M", Recipe::kQ4_K_M},
      {"qwen3-Q5_K_M", Recipe::kQ5_K_M}, {"qwen3moe-Q6_K", Recipe::kQ6_K},
      {"qwen2-Q4_0", Recipe::kQ4_0},     {"llama-Q8_0", Recipe::kQ8_0},
      {"llama-F16", Recipe::kF16}};
  for (const auto& [name, recipe] : files) {
    const auto model =
        ModelFile::Open(testing::SharedData("golden/" + std::string(name) + ".gguf"));
    ASSERT_TRUE(model.ok()) << model.status();
    const bool tied = (*model)->Find("output.weight") == nullptr;
    for (const Tensor& t : (*model)->tensors()) {
      const std::span<const int64_t> dims(t.dims.data(), static_cast<size_t>(t.n_dims));
      EXPECT_EQ(quant::InfoOf(RecipeType(recipe, t.name, dims, 3, tied)).name,
                quant::InfoOf(t.type).name)
          << name << " " << t.name;
    }
  }
}

TEST(Convert, FrequencyFactorsAgreeWithTheTableAnotherProgramWrote) {
  AC_REQUIRE_SHARED_DATA();
  const auto model = ModelFile::Open(testing::SharedData("golden/llama-F16.gguf"));
  ASSERT_TRUE(model.ok());
  const Tensor& table = *(*model)->Find("rope_freqs.weight");
  RopeConfig rope = (*model)->config().rope;
  rope.scaling = RopeScaling::kLlama3;
  rope.factor = 8;
  rope.original_context = 8192;
  const std::vector<float> ours = Llama3FrequencyFactors(rope);
  const auto* theirs = static_cast<const float*>(table.matrix.data);
  ASSERT_EQ(ours.size(), static_cast<size_t>(table.dims[0]));
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], theirs[i], 1e-3 * theirs[i]) << i;
}

}  // namespace
}  // namespace ac::weights
