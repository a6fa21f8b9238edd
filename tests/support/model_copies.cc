#include "support/model_copies.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>

#include "base/file_system.h"
#include "json/json.h"
#include "quant/quant.h"
#include "weights/gguf.h"

namespace ac::testing {
namespace {

using weights::ModelConfig;
using weights::ModelFile;
using weights::Tensor;

void WriteText(const std::string& directory, const std::string& name, const std::string& text) {
  const Status status = WriteFileAtomic(FileSystem::Real(), JoinPath(directory, name), text);
  ASSERT_TRUE(status.ok()) << status;
}

const std::map<std::string, std::string>& PublishedNames() {
  static const std::map<std::string, std::string> names = {
      {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
      {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
      {"attn_output", "self_attn.o_proj"}, {"attn_q_norm", "self_attn.q_norm"},
      {"attn_k_norm", "self_attn.k_norm"}, {"ffn_norm", "post_attention_layernorm"},
      {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"},       {"ffn_gate_inp", "mlp.gate"},
      {"ffn_gate_exps", "gate_proj"},      {"ffn_up_exps", "up_proj"},
      {"ffn_down_exps", "down_proj"}};
  return names;
}

// "blk.3.attn_q.weight" to "model.layers.3.self_attn.q_proj"; experts get `expert` (-1: stacked).
std::string PublishedModule(const std::string& name, int expert) {
  if (name == "token_embd.weight") return "model.embed_tokens";
  if (name == "output_norm.weight") return "model.norm";
  if (name == "output.weight") return "lm_head";
  const size_t second = name.find('.', 4);
  const size_t third = name.find('.', second + 1);
  const std::string part = name.substr(second + 1, third - second - 1);
  std::string module = PublishedNames().at(part);
  if (part.ends_with("_exps")) {
    module =
        (expert < 0 ? "mlp.switch_mlp." : "mlp.experts." + std::to_string(expert) + ".") + module;
  }
  return "model.layers." + name.substr(4, second - 4) + "." + module;
}

// The row of a GGUF llama matrix that is row `row` of the published one: halves of a head
// interleaved.
int64_t GgufRow(const ModelConfig& config, const std::string& name, int64_t row) {
  const bool rotated =
      name.find("attn_q.") != std::string::npos || name.find("attn_k.") != std::string::npos;
  if (!rotated || config.rope.style != weights::RopeStyle::kNormal) return row;
  const int64_t d = row % config.head_dim;
  const int64_t half = config.rope.dims / 2;
  if (d >= config.rope.dims) return row;
  return row - d + (d < half ? 2 * d : 2 * (d - half) + 1);
}

void AppendFloat(ac_quant_type type, float value, std::string* out) {
  uint16_t half = 0;
  switch (type) {
    case AC_F16:
      half = quant::F32ToF16(value);
      break;
    case AC_BF16:
      half = quant::F32ToBF16(value);
      break;
    default:
      out->append(reinterpret_cast<const char*>(&value), sizeof value);
      return;
  }
  out->append(reinterpret_cast<const char*>(&half), sizeof half);
}

std::string FloatRows(const ModelConfig& config, const std::string& name, const ac_matrix& m,
                      ac_quant_type type) {
  std::string data;
  std::vector<float> row(static_cast<size_t>(m.cols));
  for (int64_t r = 0; r < m.rows; ++r) {
    quant::DequantizeRow(m, GgufRow(config, name, r), row.data());
    for (const float value : row) AppendFloat(type, value, &data);
  }
  return data;
}

std::string VectorData(const ModelConfig& config, const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.dims[0]));
  quant::DequantizeRow(tensor.matrix, 0, values.data());
  std::string data;
  for (int64_t i = 0; i < tensor.dims[0]; ++i) {
    AppendFloat(AC_F32, values[static_cast<size_t>(GgufRow(config, tensor.name, i))], &data);
  }
  return data;
}

RawTensor VectorTensor(const ModelConfig& config, const Tensor& tensor) {
  const bool bias = tensor.name.ends_with(".bias");
  return {PublishedModule(tensor.name, -1) + (bias ? ".bias" : ".weight"),
          "F32",
          {tensor.dims[0]},
          VectorData(config, tensor)};
}

json::Object ConfigJson(const ModelFile& source) {
  const ModelConfig& c = source.config();
  json::Object o;
  o["model_type"] = c.architecture == "qwen3moe" ? "qwen3_moe" : c.architecture;
  o["num_hidden_layers"] = c.n_layers;
  o["hidden_size"] = c.d_model;
  o["num_attention_heads"] = c.n_heads;
  o["num_key_value_heads"] = c.n_kv_heads;
  o["head_dim"] = c.head_dim;
  o["intermediate_size"] = c.d_ff;
  o["vocab_size"] = c.vocab_size;
  o["max_position_embeddings"] = c.context_length;
  o["rms_norm_eps"] = c.norm_eps;
  o["rope_theta"] = c.rope.base;
  o["hidden_act"] = "silu";
  o["tie_word_embeddings"] = source.Find("output.weight") == nullptr;
  if (c.n_experts > 0) {
    o["num_experts"] = c.n_experts;
    o["num_experts_per_tok"] = c.n_experts_used;
    o["moe_intermediate_size"] = c.d_expert;
    o["norm_topk_prob"] = true;
  }
  if (source.Find("rope_freqs.weight") != nullptr) {
    // The tiny models with such a table were made from these values.
    o["rope_scaling"] = {{"rope_type", "llama3"},
                         {"factor", 8.0},
                         {"low_freq_factor", 1.0},
                         {"high_freq_factor", 4.0},
                         {"original_max_position_embeddings", 8192}};
  }
  return o;
}

void WriteTokenizer(const ModelFile& source, const std::string& directory) {
  const weights::GgufMetadata& metadata = *source.tokenizer_source().gguf;
  const auto tokens = metadata.GetStringArray("tokenizer.ggml.tokens");
  const auto types = metadata.GetIntArray("tokenizer.ggml.token_type");
  const auto merges = metadata.GetStringArray("tokenizer.ggml.merges");
  ASSERT_TRUE(tokens && types && merges) << "the source has no byte-level vocabulary";
  json::Object vocab;
  json::Array added;
  for (size_t i = 0; i < tokens->size(); ++i) {
    if ((*types)[i] == 1) {
      vocab[(*tokens)[i]] = i;
    } else if ((*types)[i] == 3 || (*types)[i] == 4) {
      added.push_back({{"id", i}, {"content", (*tokens)[i]}, {"special", (*types)[i] == 3}});
    }
  }
  json::Array pairs;
  for (const std::string_view merge : *merges) pairs.emplace_back(merge);
  const json::Value tokenizer = {
      {"added_tokens", added},
      {"pre_tokenizer",
       {{"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"},
           {"pattern",
            {{"Regex",
              "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
              "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}}},
           {"behavior", "Isolated"},
           {"invert", false}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", pairs}}}};
  WriteText(directory, "tokenizer.json", json::Write(tokenizer));
  const json::Value config = {{"chat_template", source.tokenizer_source().chat_template}};
  WriteText(directory, "tokenizer_config.json", json::Write(config));
  json::Array ends;
  for (const int32_t id : source.tokenizer_source().eos_token_ids) ends.emplace_back(id);
  WriteText(directory, "generation_config.json", json::Write(json::Value{{"eos_token_id", ends}}));
}

void WriteShards(const std::vector<RawTensor>& tensors, int shards, const std::string& directory) {
  if (shards == 1) return WriteText(directory, "model.safetensors", SafetensorsBytes(tensors));
  json::Object map;
  for (int s = 0; s < shards; ++s) {
    const std::string name =
        "model-0000" + std::to_string(s + 1) + "-of-0000" + std::to_string(shards) + ".safetensors";
    std::vector<RawTensor> part;
    for (size_t i = static_cast<size_t>(s); i < tensors.size(); i += static_cast<size_t>(shards)) {
      part.push_back(tensors[i]);
      map[tensors[i].name] = name;
    }
    WriteText(directory, name, SafetensorsBytes(part));
  }
  WriteText(directory, "model.safetensors.index.json",
            json::Write(json::Value{{"weight_map", map}}));
}

// One Q4_0 or Q8_0 matrix as words, scales and biases; quants become unsigned, the bias their
// offset.
struct Affine {
  std::string words;
  std::string scales;
  std::string biases;
};

Affine ToAffine(const ModelConfig& config, const std::string& name, const ac_matrix& m) {
  Affine out;
  for (int64_t r = 0; r < m.rows; ++r) {
    const char* row = static_cast<const char*>(m.data) +
                      static_cast<size_t>(GgufRow(config, name, r)) * m.row_bytes;
    for (int64_t b = 0; b < m.cols / 32; ++b) {
      float scale = 0;
      float offset = 0;
      if (m.type == AC_Q4_0) {
        ac_block_q4_0 block;
        std::memcpy(&block, row + b * static_cast<int64_t>(sizeof block), sizeof block);
        scale = quant::F16ToF32(block.d);
        offset = -8 * scale;
        // Elements 0-15 are the low nibbles; words want neighbours in one byte.
        for (int i = 0; i < 32; i += 2) {
          const auto q = [&](int k) { return k < 16 ? block.qs[k] & 15 : block.qs[k - 16] >> 4; };
          out.words += static_cast<char>(q(i) | q(i + 1) << 4);
        }
      } else {
        ac_block_q8_0 block;
        std::memcpy(&block, row + b * static_cast<int64_t>(sizeof block), sizeof block);
        scale = quant::F16ToF32(block.d);
        offset = -128 * scale;
        for (const int8_t q : block.qs) out.words += static_cast<char>(q + 128);
      }
      AppendFloat(AC_F32, scale, &out.scales);
      AppendFloat(AC_F32, offset, &out.biases);
    }
  }
  return out;
}

std::vector<int64_t> PublishedShape(const Tensor& tensor, int64_t cols) {
  std::vector<int64_t> shape = {tensor.dims[1], cols};
  if (tensor.n_dims == 3) shape.insert(shape.begin(), tensor.dims[2]);
  return shape;
}

}  // namespace

std::string SafetensorsBytes(const std::vector<RawTensor>& tensors) {
  json::Object header;
  std::string data;
  for (const RawTensor& tensor : tensors) {
    json::Array shape;
    for (const int64_t dim : tensor.shape) shape.emplace_back(dim);
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", shape},
                           {"data_offsets", {data.size(), data.size() + tensor.data.size()}}};
    data += tensor.data;
  }
  std::string text = json::Write(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t size = text.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + text + data;
}

void WriteSafetensorsCopy(const ModelFile& source, const std::string& directory,
                          const CopyOptions& options) {
  std::filesystem::create_directories(directory);
  std::vector<RawTensor> tensors;
  for (const Tensor& tensor : source.tensors()) {
    if (tensor.name == "rope_freqs.weight") continue;
    // Routers are F32 in the source and would lose bits.
    const ac_quant_type type = tensor.type == AC_F32 ? AC_F32 : options.type;
    const std::string dtype(quant::InfoOf(type).name);
    const auto add = [&](int expert, const std::vector<int64_t>& shape, const ac_matrix& m) {
      tensors.push_back({PublishedModule(tensor.name, expert) + ".weight", dtype, shape,
                         FloatRows(source.config(), tensor.name, m, type)});
    };
    if (tensor.n_dims == 1) {
      tensors.push_back(VectorTensor(source.config(), tensor));
    } else if (tensor.n_dims == 3 && !options.stacked_experts) {
      for (size_t e = 0; e < tensor.expert_matrices.size(); ++e) {
        add(static_cast<int>(e), {tensor.dims[1], tensor.dims[0]}, tensor.expert_matrices[e]);
      }
    } else {
      add(-1, PublishedShape(tensor, tensor.dims[0]), tensor.matrix);
    }
  }
  WriteShards(tensors, options.shards, directory);
  WriteText(directory, "config.json", json::Write(ConfigJson(source)));
  WriteTokenizer(source, directory);
}

void WriteMlxCopy(const ModelFile& source, const std::string& directory) {
  std::filesystem::create_directories(directory);
  std::vector<RawTensor> tensors;
  json::Object quantisation = {{"group_size", 32}, {"bits", 4}};
  for (const Tensor& tensor : source.tensors()) {
    if (tensor.name == "rope_freqs.weight") continue;
    if (tensor.n_dims == 1) {
      tensors.push_back(VectorTensor(source.config(), tensor));
      continue;
    }
    const std::string module = PublishedModule(tensor.name, -1);
    if (tensor.type != AC_Q4_0 && tensor.type != AC_Q8_0) {
      tensors.push_back({module + ".weight", "F32", PublishedShape(tensor, tensor.dims[0]),
                         FloatRows(source.config(), tensor.name, tensor.matrix, AC_F32)});
      quantisation[module] = false;
      continue;
    }
    const int bits = tensor.type == AC_Q4_0 ? 4 : 8;
    if (bits != 4) quantisation[module] = {{"group_size", 32}, {"bits", bits}};
    const Affine affine = ToAffine(source.config(), tensor.name, tensor.matrix);
    const std::vector<int64_t> groups = PublishedShape(tensor, tensor.dims[0] / 32);
    tensors.push_back({module + ".weight", "U32",
                       PublishedShape(tensor, tensor.dims[0] * bits / 32), affine.words});
    tensors.push_back({module + ".scales", "F32", groups, affine.scales});
    tensors.push_back({module + ".biases", "F32", groups, affine.biases});
  }
  WriteShards(tensors, 1, directory);
  json::Object config = ConfigJson(source);
  config["quantization"] = quantisation;
  config["quantization_config"] = quantisation;
  WriteText(directory, "config.json", json::Write(config));
  WriteTokenizer(source, directory);
}

}  // namespace ac::testing
