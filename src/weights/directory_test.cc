#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>

#include "json/json.h"
#include "quant/quant.h"
#include "support/model_copies.h"
#include "support/weight_files.h"
#include "weights/safetensors.h"
#include "weights/synth.h"

namespace ac::weights {
namespace {

using ac::testing::ExpectFailure;
using ac::testing::TempPath;

using testing::CopyOptions;
using testing::RawTensor;
using testing::SafetensorsBytes;
using testing::WriteMlxCopy;
using testing::WriteSafetensorsCopy;

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

// Made once per program: most tests read the same few models.
std::shared_ptr<ModelFile> Synth(const std::string& shape, Recipe recipe) {
  static std::map<std::pair<std::string, Recipe>, std::shared_ptr<ModelFile>> made;
  std::shared_ptr<ModelFile>& model = made[{shape, recipe}];
  if (model == nullptr) {
    const std::string path = TempPath(shape + ".gguf");
    const Status status = Synthesize({shape, recipe, 7}, path, FileSystem::Real(), {});
    EXPECT_TRUE(status.ok()) << status;
    model = OpenOrFail(path);
  }
  return model;
}

// A directory with a BF16 copy of a tiny model, made once per shape and copied by links.
std::string FreshCopy(const std::string& shape) {
  static std::map<std::string, std::string> made;
  std::string& original = made[shape];
  if (original.empty()) {
    original = TempDirectory("original-" + shape);
    WriteSafetensorsCopy(*Synth(shape, Recipe::kF16), original, {AC_BF16, 1, false});
  }
  const std::string copy = TempDirectory("copy");
  for (const auto& entry : std::filesystem::directory_iterator(original)) {
    std::filesystem::create_hard_link(entry.path(), copy + "/" + entry.path().filename().string());
  }
  return copy;
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

// A copy of a tiny model whose config.json was edited.
std::string ChangedCopy(const std::string& shape,
                        const std::function<void(json::Object*)>& change) {
  const std::string directory = FreshCopy(shape);
  const std::string path = directory + "/config.json";
  json::Value config = *json::Parse(*ReadFile(FileSystem::Real(), path));
  change(&config.as_object());
  EXPECT_TRUE(WriteFileAtomic(FileSystem::Real(), path, json::Write(config)).ok());
  return directory;
}

Status OpenChanged(const std::string& shape, const std::function<void(json::Object*)>& change) {
  return ModelFile::Open(ChangedCopy(shape, change)).status();
}

ModelConfig ConfigAfter(const std::string& shape,
                        const std::function<void(json::Object*)>& change) {
  const auto model = OpenOrFail(ChangedCopy(shape, change));
  return model == nullptr ? ModelConfig() : model->config();
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

// A safetensors file with this header text and this much data.
std::string WithHeader(const std::string& header, size_t data) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header +
         std::string(data, 'x');
}

Status ParseStatus(const std::string& text) {
  return SafetensorsFile::Parse(std::as_bytes(std::span(text)), "s").status();
}

TEST(Safetensors, DamagedHeadersAreExplained) {
  const auto one = [](const char* entry, size_t data) {
    return ParseStatus(WithHeader("{\"t\":" + std::string(entry) + "}", data));
  };
  EXPECT_TRUE(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 8).ok());
  EXPECT_TRUE(one(R"({"dtype":"F32","shape":[],"data_offsets":[0,4]})", 4).ok()) << "a scalar";
  EXPECT_TRUE(one(R"({"dtype":"F32","shape":[0,3],"data_offsets":[0,0]})", 0).ok()) << "empty";
  ExpectFailure(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 7),
                {"'t'", "truncated"});
  ExpectFailure(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 9), {"after the last"});
  ExpectFailure(one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})", 8), {"'t'", "needs 12"});
  ExpectFailure(one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})", 8),
                {"impossible data_off"});
  ExpectFailure(one(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})", 8),
                {"impossible data_off"});
  ExpectFailure(one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})", 8),
                {"impossible shape"});
  ExpectFailure(one(R"({"dtype":"F32","shape":[9223372036854775807,8],"data_offsets":[0,8]})", 8),
                {"impossible shape"});
  ExpectFailure(one(R"({"dtype":"F3","shape":[2],"data_offsets":[0,8]})", 8), {"'F3'"});
  ExpectFailure(one(R"({"shape":[2],"data_offsets":[0,8]})", 8), {"type ''"});
  ExpectFailure(one(R"({"dtype":"F32","data_offsets":[0,8]})", 8), {"shape"});
  ExpectFailure(one(R"({"dtype":"F32","shape":[2]})", 8), {"data_offsets"});
  ExpectFailure(one("7", 8), {"'t'"});
  ExpectFailure(ParseStatus(""), {"too short"});
  ExpectFailure(ParseStatus(std::string(8, '\xFF')), {"claims a header"});
  ExpectFailure(ParseStatus(WithHeader("[1]", 0)), {"no JSON object"});
  ExpectFailure(ParseStatus(WithHeader("{", 0)), {"damaged header"});
  ExpectFailure(ParseStatus(WithHeader(std::string(500, '['), 0)), {"damaged header"});
}

TEST(Safetensors, OverlapsHolesAndDuplicatesAreRefused) {
  const auto two = [](const char* a, const char* b, size_t data) {
    const auto entry = [](const char* offsets) {
      return R"({"dtype":"U8","shape":[4],"data_offsets":)" + std::string(offsets) + "}";
    };
    return ParseStatus(WithHeader("{\"a\":" + entry(a) + ",\"b\":" + entry(b) + "}", data));
  };
  EXPECT_TRUE(two("[4,8]", "[0,4]", 8).ok()) << "any order in the header";
  ExpectFailure(two("[0,4]", "[2,6]", 6), {"'b'", "overlaps"});
  ExpectFailure(two("[0,4]", "[5,9]", 9), {"'b'", "hole"});
  ExpectFailure(ParseStatus(WithHeader(R"({"__metadata__":{"a":":"},"t":{"dtype":"U8","shape":[1],)"
                                       R"("data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],)"
                                       R"("data_offsets":[0,1]}})",
                                       1)),
                {"'t'", "twice"});
}

TEST(Safetensors, NoTruncationOrChangedByteCrashesTheReader) {
  const std::string text =
      SafetensorsBytes({{"model.norm.weight", "F32", {4}, std::string(16, 'a')},
                        {"b", "BF16", {2, 3}, std::string(12, 'b')}});
  for (size_t at = 0; at < text.size(); ++at) {
    const std::vector<char> cut(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at));
    EXPECT_FALSE(SafetensorsFile::Parse(std::as_bytes(std::span(cut)), "s").ok());
    for (const int change : {0x00, 0x22, 0x2C, 0x39, 0x5D, 0x7D, 0xFF}) {
      std::vector<char> bad(text.begin(), text.end());
      bad[at] = static_cast<char>(change);
      Result<SafetensorsFile> file = SafetensorsFile::Parse(std::as_bytes(std::span(bad)), "s");
      if (!file.ok()) continue;
      for (const SafetensorsTensor& tensor : file->tensors()) {
        std::vector<std::byte> copy(tensor.data.begin(), tensor.data.end());
      }
    }
  }
}

// Replaces tensors of a copy: `change` edits the list before it is written back.
std::string CopyWith(const std::string& directory,
                     const std::function<void(std::vector<RawTensor>*)>& change) {
  const std::string path = directory + "/model.safetensors";
  std::vector<RawTensor> tensors;
  {
    Result<SafetensorsFile> file = SafetensorsFile::Open(path);
    EXPECT_TRUE(file.ok()) << file.status();
    for (const SafetensorsTensor& t : file->tensors()) {
      tensors.push_back({t.name, std::string(t.dtype), t.shape,
                         std::string(reinterpret_cast<const char*>(t.data.data()), t.data.size())});
    }
  }
  change(&tensors);
  EXPECT_TRUE(WriteFileAtomic(FileSystem::Real(), path, SafetensorsBytes(tensors)).ok());
  return directory;
}

RawTensor* FindRaw(std::vector<RawTensor>* tensors, const std::string& name) {
  for (RawTensor& tensor : *tensors) {
    if (tensor.name == name) return &tensor;
  }
  ADD_FAILURE() << name;
  return &tensors->front();
}

TEST(Directory, WrongTensorsAreNamed) {
  using Tensors = std::vector<RawTensor>;
  const auto changed = [](const char* shape, const std::function<void(Tensors*)>& change) {
    return ModelFile::Open(CopyWith(FreshCopy(shape), change)).status();
  };
  const std::string q = "model.layers.1.self_attn.q_proj.weight";
  ExpectFailure(
      changed("tiny-qwen2",
              [&](Tensors* t) { std::erase_if(*t, [&](auto& x) { return x.name == q; }); }),
      {"blk.1.attn_q.weight", "missing"});
  ExpectFailure(changed("tiny-qwen2",
                        [&](Tensors* t) {
                          FindRaw(t, q)->shape = {128, 512};
                        }),
                {"blk.1.attn_q.weight", "[512, 128]", "[256, 256]"});
  ExpectFailure(changed("tiny-qwen2",
                        [&](Tensors* t) {
                          FindRaw(t, q)->dtype = "F8_E4M3";
                          FindRaw(t, q)->data.resize(256 * 256);
                        }),
                {q.c_str(), "F8_E4M3", "BF16"});
  ExpectFailure(changed("tiny-qwen2",
                        [&](Tensors* t) {
                          t->push_back({"model.layers.0.extra.weight", "F32", {1}, "abcd"});
                        }),
                {"model.layers.0.extra.weight", "not part of"});
  ExpectFailure(changed("tiny-qwen2",
                        [&](Tensors* t) {
                          FindRaw(t, "model.norm.weight")->data.replace(8, 4, "\xFF\xFF\xFF\x7F");
                        }),
                {"output_norm.weight", "NaN", "column 2"});
  ExpectFailure(changed("tiny-qwen3moe",
                        [&](Tensors* t) {
                          std::erase_if(*t, [](auto& x) {
                            return x.name == "model.layers.0.mlp.experts.5.up_proj.weight";
                          });
                        }),
                {"blk.0.ffn_up_exps", "expert 5"});
}

TEST(Directory, WrongMlxArraysAreNamed) {
  using Tensors = std::vector<RawTensor>;
  const auto original = Synth("tiny-qwen2", Recipe::kQ8_0);
  const auto changed = [&](const std::function<void(Tensors*)>& change) {
    const std::string directory = TempDirectory("mlx");
    WriteMlxCopy(*original, directory);
    return ModelFile::Open(CopyWith(directory, change)).status();
  };
  const std::string q = "model.layers.0.self_attn.q_proj";
  EXPECT_TRUE(changed([](Tensors*) {}).ok());
  ExpectFailure(changed([&](Tensors* t) {
                  std::erase_if(*t, [&](auto& x) { return x.name == q + ".biases"; });
                }),
                {q.c_str(), "no biases"});
  ExpectFailure(changed([&](Tensors* t) {
                  std::erase_if(*t, [&](auto& x) { return x.name == q + ".scales"; });
                }),
                {q.c_str(), "U32", "no scales"});
  ExpectFailure(changed([&](Tensors* t) {
                  FindRaw(t, q + ".scales")->shape = {128, 16};
                }),
                {q.c_str(), "does not fit"});
  ExpectFailure(changed([&](Tensors* t) { FindRaw(t, q + ".weight")->dtype = "I32"; }),
                {q.c_str(), "U32"});
}

TEST(Directory, DamagedIndexesAreExplained) {
  const auto with_index = [](const std::string& text) {
    const std::string directory = FreshCopy("tiny-qwen2");
    EXPECT_TRUE(
        WriteFileAtomic(FileSystem::Real(), directory + "/model.safetensors.index.json", text)
            .ok());
    return ModelFile::Open(directory).status();
  };
  ExpectFailure(with_index("{}"), {"weight_map"});
  ExpectFailure(with_index("{"), {"index.json"});
  ExpectFailure(with_index(R"({"weight_map":{"a":"../../etc/passwd"}})"), {"no plain file name"});
  ExpectFailure(with_index(R"({"weight_map":{"a":"model.safetensors"}})"), {"'a'", "missing"});
  EXPECT_EQ(with_index(R"({"weight_map":{"a":"gone.safetensors"}})").code(), Code::kNotFound);
}

TEST(Directory, ChatTemplatesComeFromWhereverTheyAre) {
  const auto source_of = [](const std::map<std::string, std::string>& files) {
    const std::string directory = FreshCopy("tiny-qwen2");
    for (const auto& [name, text] : files) {
      std::filesystem::create_directories(directory + "/" + DirName(name));
      EXPECT_TRUE(WriteFileAtomic(FileSystem::Real(), directory + "/" + name, text).ok());
    }
    return OpenOrFail(directory)->tokenizer_source();
  };
  const std::string list =
      R"({"chat_template":[{"name":"default","template":"D"},{"name":"tool_use","template":"T"}]})";
  EXPECT_EQ(source_of({{"tokenizer_config.json", list}}).chat_template, "D");
  EXPECT_EQ(source_of({{"tokenizer_config.json", list}}).tool_use_template, "T");
  EXPECT_EQ(source_of({{"chat_template.jinja", "J"}}).chat_template, "J");
  EXPECT_EQ(source_of({{"chat_template.json", R"({"chat_template":"O"})"}}).chat_template, "O");
  EXPECT_EQ(source_of({{"generation_config.json", R"({"eos_token_id":[5,6]})"}}).eos_token_ids,
            (std::vector<int32_t>{5, 6}));
}

}  // namespace
}  // namespace ac::weights
