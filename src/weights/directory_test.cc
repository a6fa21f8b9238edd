#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>

#include "json/json.h"
#include "quant/quant.h"
#include "support/model_copies.h"
#include "weights/safetensors.h"
#include "weights/synth.h"

namespace ac::weights {
namespace {

using testing::CopyOptions;
using testing::RawTensor;
using testing::SafetensorsBytes;
using testing::WriteMlxCopy;
using testing::WriteSafetensorsCopy;

std::string TempPath(const std::string& name) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return ::testing::TempDir() + "/" + test->name() + "." + name;
}

// A fresh, empty directory.
std::string TempDirectory(const std::string& name) {
  const std::string path = TempPath(name);
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

std::unique_ptr<ModelFile> OpenOrFail(const std::string& path) {
  Result<std::unique_ptr<ModelFile>> model = ModelFile::Open(path);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? std::move(*model) : nullptr;
}

std::unique_ptr<ModelFile> Synth(const std::string& shape, Recipe recipe) {
  const std::string path = TempPath(shape + ".gguf");
  const Status made = Synthesize({shape, recipe, 7}, path, FileSystem::Real(), {});
  EXPECT_TRUE(made.ok()) << made;
  return OpenOrFail(path);
}

std::vector<float> Row(const ac_matrix& m, int64_t r) {
  std::vector<float> row(static_cast<size_t>(m.cols));
  quant::DequantizeRow(m, r, row.data());
  return row;
}

int64_t InterleavedRow(const ModelConfig& gguf, const std::string& name, int64_t row) {
  if (gguf.rope.style == RopeStyle::kNeox ||
      (name.find("attn_q") == std::string::npos && name.find("attn_k") == std::string::npos)) {
    return row;
  }
  const int64_t d = row % gguf.head_dim;
  const int64_t half = gguf.head_dim / 2;
  return row - d + (d < half ? 2 * d : 2 * (d - half) + 1);
}

// Every matrix of the copy holds the numbers of the original, in the published row order.
void ExpectSameWeights(const ModelFile& original, const ModelFile& copy, float tolerance) {
  for (const Tensor& a : original.tensors()) {
    if (a.name == "rope_freqs.weight") continue;  // the directory says it in config.json
    const Tensor* b = copy.Find(a.name);
    ASSERT_NE(b, nullptr) << a.name;
    ASSERT_EQ(a.dims, b->dims) << a.name;
    ASSERT_EQ(a.n_dims, b->n_dims) << a.name;
    if (a.n_dims == 1) continue;
    const auto compare = [&](const ac_matrix& x, const ac_matrix& y) {
      for (int64_t r = 0; r < y.rows; ++r) {
        const std::vector<float> want = Row(x, InterleavedRow(original.config(), a.name, r));
        const std::vector<float> got = Row(y, r);
        for (size_t c = 0; c < got.size(); ++c) {
          ASSERT_NEAR(got[c], want[c], tolerance) << a.name << " row " << r << " column " << c;
        }
      }
    };
    if (b->matrix.data != nullptr) compare(a.matrix, b->matrix);
    ASSERT_EQ(a.expert_matrices.size(), b->expert_matrices.size()) << a.name;
    for (size_t e = 0; e < a.expert_matrices.size(); ++e) {
      compare(a.expert_matrices[e], b->expert_matrices[e]);
    }
  }
}

void ExpectSameConfig(const ModelFile& original, const ModelFile& copy) {
  const ModelConfig& a = original.config();
  const ModelConfig& b = copy.config();
  EXPECT_EQ(a.architecture, b.architecture);
  EXPECT_EQ(a.n_layers, b.n_layers);
  EXPECT_EQ(a.d_model, b.d_model);
  EXPECT_EQ(a.n_heads, b.n_heads);
  EXPECT_EQ(a.n_kv_heads, b.n_kv_heads);
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.d_ff, b.d_ff);
  EXPECT_EQ(a.vocab_size, b.vocab_size);
  EXPECT_EQ(a.context_length, b.context_length);
  EXPECT_FLOAT_EQ(a.norm_eps, b.norm_eps);
  EXPECT_EQ(a.rope.base, b.rope.base);
  EXPECT_EQ(a.rope.dims, b.rope.dims);
  EXPECT_EQ(a.n_experts, b.n_experts);
  EXPECT_EQ(a.n_experts_used, b.n_experts_used);
  EXPECT_EQ(a.d_expert, b.d_expert);
  EXPECT_EQ(b.rope.style, RopeStyle::kNeox);
  EXPECT_EQ(a.sliding_window, b.sliding_window);
  EXPECT_EQ(original.tokenizer_source().eos_token_ids, copy.tokenizer_source().eos_token_ids);
  EXPECT_EQ(original.tokenizer_source().chat_template, copy.tokenizer_source().chat_template);
}

constexpr const char* kTinyShapes[] = {"tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-qwen3moe"};

TEST(Directory, SafetensorsHoldTheSameWeightsAsGguf) {
  for (const char* shape : kTinyShapes) {
    const auto original = Synth(shape, Recipe::kF16);
    for (const bool stacked : {false, true}) {
      const std::string directory = TempDirectory(shape);
      WriteSafetensorsCopy(*original, directory, {AC_F16, stacked ? 3 : 1, stacked});
      const auto copy = OpenOrFail(directory);
      ASSERT_NE(copy, nullptr);
      EXPECT_EQ(copy->format(), "safetensors");
      ExpectSameConfig(*original, *copy);
      ExpectSameWeights(*original, *copy, 0.0f);
    }
  }
}

TEST(Directory, MlxQuantisedWeightsEqualTheGgufBlocksTheyCameFrom) {
  for (const char* shape : kTinyShapes) {
    for (const Recipe recipe : {Recipe::kQ4_0, Recipe::kQ8_0}) {
      const auto original = Synth(shape, recipe);
      const std::string directory = TempDirectory(shape);
      WriteMlxCopy(*original, directory);
      const auto copy = OpenOrFail(directory);
      ASSERT_NE(copy, nullptr);
      EXPECT_EQ(copy->format(), "mlx");
      EXPECT_EQ(copy->Find("blk.0.attn_q.weight")->type, AC_MLX_AFFINE);
      ExpectSameConfig(*original, *copy);
      ExpectSameWeights(*original, *copy, 0.0f);
    }
  }
}

TEST(Directory, ConvertingACopyBackGivesTheGgufWeightsAndAUsableTokenizer) {
  for (const char* shape : kTinyShapes) {
    const auto original = Synth(shape, Recipe::kF16);
    const std::string directory = TempDirectory(shape);
    WriteSafetensorsCopy(*original, directory, {AC_F16, 2, false});
    const std::string path = TempPath("back.gguf");
    const Status converted = ConvertModel(directory, path, Recipe::kF16, FileSystem::Real(), {});
    ASSERT_TRUE(converted.ok()) << converted;
    const auto back = OpenOrFail(path);
    ASSERT_NE(back, nullptr);
    EXPECT_EQ(back->config().rope.style, original->config().rope.style);
    for (const Tensor& a : original->tensors()) {
      const Tensor* b = back->Find(a.name);
      ASSERT_NE(b, nullptr) << a.name;
      ASSERT_EQ(a.type, b->type) << a.name;
      ASSERT_EQ(a.bytes, b->bytes) << a.name;
      EXPECT_EQ(std::memcmp(a.matrix.data, b->matrix.data, a.bytes), 0) << a.name;
    }
    const GgufMetadata& was = *original->tokenizer_source().gguf;
    const GgufMetadata& is = *back->tokenizer_source().gguf;
    EXPECT_EQ(was.GetStringArray("tokenizer.ggml.tokens"),
              is.GetStringArray("tokenizer.ggml.tokens"));
    EXPECT_EQ(was.GetIntArray("tokenizer.ggml.token_type"),
              is.GetIntArray("tokenizer.ggml.token_type"));
    EXPECT_EQ(was.GetString("tokenizer.ggml.pre"), is.GetString("tokenizer.ggml.pre"));
    EXPECT_EQ(was.GetString("tokenizer.chat_template"), is.GetString("tokenizer.chat_template"));
  }
}

TEST(Directory, VocabularyScopeNeedsNoWeights) {
  const auto original = Synth("tiny-qwen2", Recipe::kF16);
  const std::string directory = TempDirectory("dir");
  WriteSafetensorsCopy(*original, directory);
  std::filesystem::remove(directory + "/model.safetensors");
  std::filesystem::remove(directory + "/config.json");
  const auto model = ModelFile::Open(directory, OpenScope::kVocabulary);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_FALSE((*model)->tokenizer_source().tokenizer_json.empty());
  EXPECT_FALSE(ModelFile::Open(directory).ok());
}

// Opens a copy of a tiny model after `change` edited its config.json.
Status OpenChanged(const std::string& shape, const std::function<void(json::Object*)>& change) {
  const auto original = Synth(shape, Recipe::kF16);
  const std::string directory = TempDirectory("changed");
  WriteSafetensorsCopy(*original, directory, {AC_BF16, 1, false});
  const std::string path = directory + "/config.json";
  json::Value config = *json::Parse(*ReadFile(FileSystem::Real(), path));
  change(&config.as_object());
  EXPECT_TRUE(WriteFileAtomic(FileSystem::Real(), path, json::Write(config)).ok());
  return ModelFile::Open(directory).status();
}

void ExpectFailure(const Status& status, std::initializer_list<const char*> parts) {
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(status.message().starts_with("[weights]")) << status;
  for (const char* part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status << " lacks " << part;
  }
}

TEST(HfConfig, WhatIsNotSupportedIsNamed) {
  using O = json::Object;
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["model_type"] = "gemma3"; }),
                {"config.json", "gemma3", "qwen3_moe"});
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["hidden_act"] = "gelu"; }),
                {"gelu", "silu"});
  ExpectFailure(OpenChanged("tiny-qwen2",
                            [](O* o) {
                              (*o)["rope_scaling"] = {{"rope_type", "longrope"}, {"factor", 2.0}};
                            }),
                {"longrope", "yarn"});
  ExpectFailure(OpenChanged("tiny-qwen2",
                            [](O* o) {
                              (*o)["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}};
                            }),
                {"gptq", "MLX"});
  ExpectFailure(
      OpenChanged("tiny-qwen3moe", [](O* o) { (*o)["mlp_only_layers"] = json::Array{0}; }),
      {"mlp_only_layers"});
  ExpectFailure(OpenChanged("tiny-qwen3moe", [](O* o) { (*o)["decoder_sparse_step"] = 2; }),
                {"decoder_sparse_step"});
  ExpectFailure(
      OpenChanged("tiny-qwen2",
                  [](O* o) {
                    (*o)["quantization"] = {{"bits", 4}, {"group_size", 32}, {"mode", "mxfp4"}};
                  }),
      {"mxfp4", "affine"});
}

TEST(HfConfig, WrongNumbersAreNamed) {
  using O = json::Object;
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { o->erase("hidden_size"); }), {"hidden_size"});
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["num_hidden_layers"] = -3; }),
                {"num_hidden_layers"});
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["num_hidden_layers"] = 2000000000; }),
                {"number of layers"});
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["num_hidden_layers"] = 4; }),
                {"blk.3.attn_norm.weight", "missing"});
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["num_hidden_layers"] = 2; }),
                {"blk.2.", "not part of"});
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["vocab_size"] = 1000; }),
                {"token_embd.weight", "1024", "1000"});
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["tie_word_embeddings"] = false; }),
                {"lm_head.weight"});
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["num_key_value_heads"] = 3; }),
                {"evenly"});
  ExpectFailure(OpenChanged("tiny-qwen2", [](O* o) { (*o)["rope_theta"] = "x"; }), {"rope_theta"});
}

ModelConfig ConfigAfter(const std::string& shape,
                        const std::function<void(json::Object*)>& change) {
  const auto original = Synth(shape, Recipe::kF16);
  const std::string directory = TempDirectory("changed");
  WriteSafetensorsCopy(*original, directory, {AC_BF16, 1, false});
  const std::string path = directory + "/config.json";
  json::Value config = *json::Parse(*ReadFile(FileSystem::Real(), path));
  change(&config.as_object());
  EXPECT_TRUE(WriteFileAtomic(FileSystem::Real(), path, json::Write(config)).ok());
  const auto model = OpenOrFail(directory);
  return model == nullptr ? ModelConfig() : model->config();
}

TEST(HfConfig, RopeScalingIsReadInItsOldAndNewSpelling) {
  using O = json::Object;
  const ModelConfig linear = ConfigAfter("tiny-qwen3", [](O* o) {
    (*o)["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  });
  EXPECT_EQ(linear.rope.scaling, RopeScaling::kLinear);
  EXPECT_EQ(linear.rope.factor, 4.0f);
  const ModelConfig yarn = ConfigAfter("tiny-qwen3", [](O* o) {
    (*o)["rope_scaling"] = {
        {"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32768}};
  });
  EXPECT_EQ(yarn.rope.scaling, RopeScaling::kYarn);
  EXPECT_EQ(yarn.rope.attention_factor, 0.0f);
  EXPECT_EQ(yarn.context_length, 131072);
  const ModelConfig llama3 = ConfigAfter("tiny-llama", [](O*) {});
  EXPECT_EQ(llama3.rope.scaling, RopeScaling::kLlama3);
  EXPECT_EQ(llama3.rope.original_context, 8192);
  const ModelConfig fresh = ConfigAfter("tiny-qwen3", [](O* o) {
    o->erase("rope_theta");
    (*o)["rope_scaling"] = nullptr;
    (*o)["rope_parameters"] = {{"rope_type", "yarn"},
                               {"rope_theta", 12345.0},
                               {"factor", 16.0},
                               {"mscale", 1.0},
                               {"mscale_all_dim", 1.0},
                               {"llama_4_scaling_beta", 0.1},
                               {"original_max_position_embeddings", 16384}};
  });
  EXPECT_EQ(fresh.rope.base, 12345.0f);
  EXPECT_EQ(fresh.rope.attention_factor, 1.0f) << "equal scales cancel";
  EXPECT_FLOAT_EQ(fresh.attention_temperature, 0.1f);
  EXPECT_EQ(fresh.attention_temperature_floor, 16384);
}

TEST(HfConfig, SlidingWindowsFollowEachFamilysRules) {
  using O = json::Object;
  const auto off = ConfigAfter("tiny-qwen2", [](O* o) {
    (*o)["sliding_window"] = 4096;
    (*o)["use_sliding_window"] = false;
  });
  EXPECT_EQ(off.sliding_window, 0);
  const auto later = ConfigAfter("tiny-qwen2", [](O* o) {
    (*o)["sliding_window"] = 4096;
    (*o)["use_sliding_window"] = true;
    (*o)["max_window_layers"] = 1;
  });
  EXPECT_EQ(later.sliding_window, 4096);
  EXPECT_EQ(later.sliding_layers, (std::vector<bool>{false, true, true}));
  const auto mistral = ConfigAfter("tiny-llama", [](O* o) {
    (*o)["model_type"] = "mistral";
    (*o)["sliding_window"] = 4096;
  });
  EXPECT_EQ(mistral.architecture, "llama");
  EXPECT_EQ(mistral.sliding_window, 4096);
  EXPECT_TRUE(mistral.sliding_layers.empty());
  const auto listed = ConfigAfter("tiny-qwen3", [](O* o) {
    (*o)["use_sliding_window"] = true;
    (*o)["sliding_window"] = 1024;
    (*o)["layer_types"] = {"full_attention", "sliding_attention", "full_attention"};
  });
  EXPECT_EQ(listed.sliding_layers, (std::vector<bool>{false, true, false}));
}

TEST(Directory, MultimodalWrappingIsUnwrapped) {
  const auto original = Synth("tiny-llama", Recipe::kF16);
  const std::string directory = TempDirectory("wrapped");
  WriteSafetensorsCopy(*original, directory);
  Result<SafetensorsFile> file = SafetensorsFile::Open(directory + "/model.safetensors");
  ASSERT_TRUE(file.ok());
  std::vector<RawTensor> wrapped = {{"vision_tower.patch.weight", "F32", {1}, "abcd"}};
  for (const SafetensorsTensor& t : file->tensors()) {
    wrapped.push_back({"language_model." + t.name, std::string(t.dtype), t.shape,
                       std::string(reinterpret_cast<const char*>(t.data.data()), t.data.size())});
  }
  EXPECT_TRUE(WriteFileAtomic(FileSystem::Real(), directory + "/model.safetensors",
                              SafetensorsBytes(wrapped))
                  .ok());
  json::Value config = *json::Parse(*ReadFile(FileSystem::Real(), directory + "/config.json"));
  config.as_object()["model_type"] = "ministral3";
  const json::Value outer = {{"model_type", "mistral3"}, {"text_config", config}};
  EXPECT_TRUE(
      WriteFileAtomic(FileSystem::Real(), directory + "/config.json", json::Write(outer)).ok());
  const auto model = OpenOrFail(directory);
  ASSERT_NE(model, nullptr);
  ExpectSameWeights(*original, *model, 0.0f);
}

}  // namespace
}  // namespace ac::weights
