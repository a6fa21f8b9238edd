#include "weights/synth.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "quant/quant.h"

namespace ac::weights {
namespace {

// Written in pieces of about this size: large enough for full disk speed.
constexpr uint64_t kPieceBytes = uint64_t{4} << 20;

struct Shape {
  std::string_view name;
  std::string_view architecture;
  int layers, d_model, heads, kv_heads, head_dim, d_ff, vocab, context;
  float rope_base, norm_eps;
  bool tied;
  bool llama3_rope;
  int experts, experts_used, d_expert;
  int sliding_window = 0;
};

// From the published configurations; the tiny ones are ours.
constexpr Shape kShapes[] = {
    {"qwen3-coder-30b-a3b", "qwen3moe", 48, 2048, 32, 4, 128, 5472, 151936, 262144, 1e7f, 1e-6f,
     false, false, 128, 8, 768},
    {"qwen2.5-coder-7b", "qwen2", 28, 3584, 28, 4, 128, 18944, 152064, 32768, 1e6f, 1e-6f, false,
     false, 0, 0, 0},
    {"hermes-3-8b", "llama", 32, 4096, 32, 8, 128, 14336, 128256, 131072, 5e5f, 1e-5f, false, true,
     0, 0, 0},
    {"qwen2.5-coder-0.5b", "qwen2", 24, 896, 14, 2, 64, 4864, 151936, 32768, 1e6f, 1e-6f, true,
     false, 0, 0, 0},
    {"tiny-llama", "llama", 3, 256, 4, 2, 64, 768, 1024, 131072, 5e5f, 1e-5f, false, true, 0, 0, 0},
    {"tiny-qwen2", "qwen2", 3, 256, 4, 2, 64, 768, 1024, 32768, 1e6f, 1e-6f, true, false, 0, 0, 0},
    {"tiny-qwen3", "qwen3", 3, 256, 4, 2, 128, 768, 1024, 32768, 1e6f, 1e-6f, true, false, 0, 0, 0},
    {"tiny-qwen3moe", "qwen3moe", 3, 256, 4, 2, 128, 768, 1024, 32768, 1e7f, 1e-6f, false, false,
     16, 4, 256},
    // What the program serves when no model is named: half a megabyte, and a window, so that an
    // agent's prompt of 50,000 byte tokens passes in seconds on any machine.
    {"built-in", "qwen3", 2, 128, 4, 2, 32, 256, 512, 262144, 1e6f, 1e-6f, true, false, 0, 0, 0,
     512},
};

ModelConfig ConfigOf(const Shape& s) {
  ModelConfig c;
  c.architecture = s.architecture;
  c.name = "synthetic " + std::string(s.name);
  c.n_layers = s.layers;
  c.d_model = s.d_model;
  c.n_heads = s.heads;
  c.n_kv_heads = s.kv_heads;
  c.head_dim = s.head_dim;
  c.d_ff = s.d_ff;
  c.vocab_size = s.vocab;
  c.context_length = s.context;
  c.norm_eps = s.norm_eps;
  c.sliding_window = s.sliding_window;
  c.n_experts = s.experts;
  c.n_experts_used = s.experts_used;
  c.d_expert = s.d_expert;
  c.rope.dims = s.head_dim;
  c.rope.base = s.rope_base;
  if (s.llama3_rope) {
    c.rope.scaling = RopeScaling::kLlama3;
    c.rope.factor = 8.0f;
    c.rope.original_context = 8192;
  }
  return c;
}

// What the numbers of a tensor look like.
enum class Filling { kMatrix, kNorm, kBias, kFrequencies };

struct Plan {
  ModelConfig config;
  std::vector<GgufTensorSpec> tensors;
  std::vector<Filling> fillings;  // one per tensor
};

class Planner {
 public:
  Planner(const Shape& shape, Recipe recipe) : shape_(shape), recipe_(recipe) {
    plan_.config = ConfigOf(shape);
  }

  Plan Run() {
    const ModelConfig& c = plan_.config;
    Matrix("token_embd.weight", {c.d_model, c.vocab_size});
    Vector("output_norm.weight", c.d_model, Filling::kNorm);
    if (!shape_.tied) Matrix("output.weight", {c.d_model, c.vocab_size});
    if (shape_.llama3_rope) Vector("rope_freqs.weight", c.rope.dims / 2, Filling::kFrequencies);
    for (int i = 0; i < c.n_layers; ++i) Layer("blk." + std::to_string(i) + ".");
    return std::move(plan_);
  }

 private:
  void Layer(const std::string& layer) {
    const ModelConfig& c = plan_.config;
    const int64_t q_width = int64_t{c.n_heads} * c.head_dim;
    const int64_t kv_width = int64_t{c.n_kv_heads} * c.head_dim;
    Vector(layer + "attn_norm.weight", c.d_model, Filling::kNorm);
    Matrix(layer + "attn_q.weight", {c.d_model, q_width});
    Matrix(layer + "attn_k.weight", {c.d_model, kv_width});
    Matrix(layer + "attn_v.weight", {c.d_model, kv_width});
    if (c.architecture == "qwen2") {
      Vector(layer + "attn_q.bias", q_width, Filling::kBias);
      Vector(layer + "attn_k.bias", kv_width, Filling::kBias);
      Vector(layer + "attn_v.bias", kv_width, Filling::kBias);
    }
    if (c.architecture == "qwen3" || c.architecture == "qwen3moe") {
      Vector(layer + "attn_q_norm.weight", c.head_dim, Filling::kNorm);
      Vector(layer + "attn_k_norm.weight", c.head_dim, Filling::kNorm);
    }
    Matrix(layer + "attn_output.weight", {q_width, c.d_model});
    Vector(layer + "ffn_norm.weight", c.d_model, Filling::kNorm);
    if (c.n_experts == 0) {
      Matrix(layer + "ffn_gate.weight", {c.d_model, c.d_ff});
      Matrix(layer + "ffn_up.weight", {c.d_model, c.d_ff});
      Matrix(layer + "ffn_down.weight", {c.d_ff, c.d_model});
      return;
    }
    Matrix(layer + "ffn_gate_inp.weight", {c.d_model, c.n_experts});
    Matrix(layer + "ffn_gate_exps.weight", {c.d_model, c.d_expert, c.n_experts});
    Matrix(layer + "ffn_up_exps.weight", {c.d_model, c.d_expert, c.n_experts});
    Matrix(layer + "ffn_down_exps.weight", {c.d_expert, c.d_model, c.n_experts});
  }

  void Matrix(const std::string& name, const std::vector<int64_t>& dims) {
    const ac_quant_type type = RecipeType(recipe_, name, dims, plan_.config.n_layers, shape_.tied);
    plan_.tensors.push_back({name, type, dims});
    plan_.fillings.push_back(Filling::kMatrix);
  }
  void Vector(const std::string& name, int64_t size, Filling filling) {
    plan_.tensors.push_back({name, AC_F32, {size}});
    plan_.fillings.push_back(filling);
  }

  const Shape& shape_;
  const Recipe recipe_;
  Plan plan_;
};

// splitmix64: a counter and a mixer, so any seed is a good seed.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  void Fill(std::span<std::byte> out) {
    size_t i = 0;
    for (; i + 8 <= out.size(); i += 8) {
      const uint64_t word = Next();
      std::memcpy(out.data() + i, &word, 8);
    }
    const uint64_t last = Next();
    std::memcpy(out.data() + i, &last, out.size() - i);
  }

 private:
  uint64_t state_;
};

// 2^16 equally likely values of the normal distribution: a random 16-bit number picks one.
const std::vector<float>& NormalTable() {
  static const std::vector<float> table = [] {
    std::vector<float> values(1 << 16);
    for (size_t i = 0; i < values.size(); ++i) {
      // Quantile by bisection of the error function; slow, but once and exact everywhere.
      const double p = (static_cast<double>(i) + 0.5) / static_cast<double>(values.size());
      double low = -6.0;
      double high = 6.0;
      for (int step = 0; step < 40; ++step) {
        const double middle = 0.5 * (low + high);
        (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
      }
      values[i] = static_cast<float>(0.5 * (low + high));
    }
    return values;
  }();
  return table;
}

// Block formats: the quants are random bits, uniform over their levels, and only the scales are
// set. Scale tables hold 256 variations within a quarter of the mean; a random byte picks one per
// block.
class BlockFiller {
 public:
  // `sigma` is the wanted standard deviation of the weights.
  BlockFiller(ac_quant_type type, double sigma, Random* random) : type_(type), random_(random) {
    const double unit = sigma / StandardDeviationOfUnitScale(type);
    for (size_t i = 0; i < 256; ++i) {
      double scale = unit * (0.75 + 0.5 * static_cast<double>(i) / 255.0);
      // Signed levels have one more below zero than above: scales of both signs even that out.
      if ((type == AC_Q4_0 || type == AC_Q5_0 || type == AC_Q8_0) && i % 2 != 0) scale = -scale;
      scales_[i] = quant::F32ToF16(static_cast<float>(scale));
      // The sum of 7.5 d sc and the centre of the levels cancel: zero mean.
      minima_[i] = quant::F32ToF16(static_cast<float>(scale * Centre(type)));
      FillScaleMin(&packed_[i]);
    }
  }

  void Fill(std::span<std::byte> out) {
    random_->Fill(out);
    switch (type_) {
      case AC_Q8_0:
        return Each<ac_block_q8_0>(out, [this](auto* b, size_t r) { b->d = scales_[r]; });
      case AC_Q4_0:
        return Each<ac_block_q4_0>(out, [this](auto* b, size_t r) { b->d = scales_[r]; });
      case AC_Q5_0:
        return Each<ac_block_q5_0>(out, [this](auto* b, size_t r) { b->d = scales_[r]; });
      case AC_Q5_1:
        return Each<ac_block_q5_1>(out, [this](auto* b, size_t r) {
          b->d = scales_[r];
          b->m = quant::F32ToF16(-quant::F16ToF32(minima_[r]));
        });
      case AC_Q4_K:
        return Each<ac_block_q4_k>(out, [this](auto* b, size_t r) { SetK(b, r); });
      case AC_Q5_K:
        return Each<ac_block_q5_k>(out, [this](auto* b, size_t r) { SetK(b, r); });
      case AC_Q6_K:
        return Each<ac_block_q6_k>(out, [this](auto* b, size_t r) {
          b->d = scales_[r];
          // Scales keep their random low bits and get magnitude 64 to 127, either sign.
          for (int8_t& s : b->scales) s = static_cast<int8_t>((s & 0x3F) | (s < 0 ? 0x80 : 0x40));
        });
      default:
        return;
    }
  }

 private:
  // Deviation of d * q (or d * sc * q) for d = 1 and uniform q: (levels / sqrt(12)) times the mean
  // magnitude of sc.
  static double StandardDeviationOfUnitScale(ac_quant_type type) {
    constexpr double kPerLevel = 0.2887;  // 1 / sqrt(12)
    switch (type) {
      case AC_Q8_0:
        return 256 * kPerLevel;
      case AC_Q4_0:
        return 16 * kPerLevel;
      case AC_Q5_0:
      case AC_Q5_1:
        return 32 * kPerLevel;
      case AC_Q4_K:
        return 16 * kPerLevel * 48;
      case AC_Q5_K:
        return 32 * kPerLevel * 48;
      case AC_Q6_K:
        return 64 * kPerLevel * 96;
      default:
        return 1;
    }
  }
  static double Centre(ac_quant_type type) { return type == AC_Q4_K ? 7.5 : 15.5; }

  // Eight equal pairs of scale and minimum from 32 to 63, in the packing of Q4_K.
  void FillScaleMin(std::array<uint8_t, 12>* packed) {
    std::array<uint64_t, 8> s;
    for (uint64_t& v : s) v = 32 + random_->Next() % 32;
    for (size_t g = 0; g < 4; ++g) {
      (*packed)[g] = (*packed)[g + 4] = static_cast<uint8_t>(s[g] | (s[g + 4] >> 4) << 6);
      (*packed)[g + 8] = static_cast<uint8_t>((s[g + 4] & 15) | (s[g + 4] & 15) << 4);
    }
  }

  template <typename Block>
  void SetK(Block* block, size_t r) {
    block->d = scales_[r];
    block->dmin = minima_[r];
    std::memcpy(block->scales, packed_[r].data(), 12);
  }

  // The random byte at the start of each block picks its scale before it is overwritten.
  template <typename Block, typename Set>
  static void Each(std::span<std::byte> out, Set set) {
    for (size_t at = 0; at + sizeof(Block) <= out.size(); at += sizeof(Block)) {
      Block block;
      std::memcpy(&block, out.data() + at, sizeof block);
      set(&block, static_cast<size_t>(out[at]));
      std::memcpy(out.data() + at, &block, sizeof block);
    }
  }

  const ac_quant_type type_;
  Random* const random_;
  std::array<ac_f16, 256> scales_;
  std::array<ac_f16, 256> minima_;
  std::array<std::array<uint8_t, 12>, 256> packed_;
};

// Float formats: normal numbers through a table already in the target type.
template <typename T>
class FloatFiller {
 public:
  template <typename Convert>
  FloatFiller(double mean, double sigma, Random* random, Convert convert) : random_(random) {
    for (const float x : NormalTable()) {
      table_.push_back(convert(static_cast<float>(mean + sigma * x)));
    }
  }
  void Fill(std::span<std::byte> out) {
    for (size_t at = 0; at < out.size();) {
      uint64_t bits = random_->Next();
      for (int k = 0; k < 4 && at < out.size(); ++k, at += sizeof(T), bits >>= 16) {
        std::memcpy(out.data() + at, &table_[bits & 0xFFFF], sizeof(T));
      }
    }
  }

 private:
  Random* const random_;
  std::vector<T> table_;
};

class SynthWriter {
 public:
  SynthWriter(const Plan& plan, uint64_t seed, GgufWriter* writer, const Progress& progress)
      : plan_(plan), seed_(seed), writer_(writer), progress_(progress) {}

  Status Run() {
    for (size_t i = 0; i < plan_.tensors.size(); ++i) AC_RETURN_IF_ERROR(WriteTensor(i));
    return OkStatus();
  }

 private:
  Status WriteTensor(size_t index) {
    const GgufTensorSpec& tensor = plan_.tensors[index];
    Random random(seed_ * 0x9E3779B97F4A7C15u + index);
    const double sigma = 1.0 / std::sqrt(static_cast<double>(tensor.dims[0]));
    const auto keep = [](float x) { return x; };
    switch (plan_.fillings[index]) {
      case Filling::kFrequencies: {
        const std::vector<float> factors = Llama3FrequencyFactors(plan_.config.rope);
        return writer_->Append(std::as_bytes(std::span(factors)));
      }
      case Filling::kNorm:
        return Stream(index, FloatFiller<float>(1.0, 0.1, &random, keep));
      case Filling::kBias:
        return Stream(index, FloatFiller<float>(0.0, 0.1, &random, keep));
      case Filling::kMatrix:
        break;
    }
    switch (tensor.type) {
      case AC_F32:
        return Stream(index, FloatFiller<float>(0.0, sigma, &random, keep));
      case AC_F16:
        return Stream(index, FloatFiller<ac_f16>(0.0, sigma, &random, quant::F32ToF16));
      case AC_BF16:
        return Stream(index, FloatFiller<ac_bf16>(0.0, sigma, &random, quant::F32ToBF16));
      default:
        return Stream(index, BlockFiller(tensor.type, sigma, &random));
    }
  }

  template <typename Filler>
  Status Stream(size_t index, Filler filler) {
    const auto block = static_cast<uint64_t>(quant::InfoOf(plan_.tensors[index].type).block_bytes);
    uint64_t left = writer_->TensorBytes(index);
    while (left > 0) {
      buffer_.resize(static_cast<size_t>(std::min(left, kPieceBytes / block * block)));
      filler.Fill(buffer_);
      AC_RETURN_IF_ERROR(writer_->Append(buffer_));
      left -= buffer_.size();
      done_ += buffer_.size();
      if (progress_) progress_(done_, writer_->data_bytes());
    }
    return OkStatus();
  }

  const Plan& plan_;
  const uint64_t seed_;
  GgufWriter* const writer_;
  const Progress& progress_;
  std::vector<std::byte> buffer_;
  uint64_t done_ = 0;
};

Result<Plan> MakePlan(const SynthSpec& spec) {
  std::string known;
  for (const Shape& shape : kShapes) {
    known += " " + std::string(shape.name);
    if (shape.name != spec.shape) continue;
    if (spec.layers < 0 || spec.layers > shape.layers) {
      return InvalidArgument("[weights] shape " + spec.shape + " has " +
                             std::to_string(shape.layers) + " layers; " +
                             std::to_string(spec.layers) + " of them cannot be taken");
    }
    Shape cut = shape;
    if (spec.layers > 0) cut.layers = spec.layers;
    return Planner(cut, spec.recipe).Run();
  }
  return InvalidArgument("[weights] unknown shape '" + spec.shape + "'; shapes:" + known);
}

}  // namespace

std::vector<std::string> SynthShapes() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

Result<uint64_t> SynthBytes(const SynthSpec& spec) {
  AC_ASSIGN_OR_RETURN(const Plan plan, MakePlan(spec));
  uint64_t total = 0;
  for (const GgufTensorSpec& tensor : plan.tensors) {
    AC_ASSIGN_OR_RETURN(uint64_t bytes, quant::RowBytes(tensor.type, tensor.dims[0]));
    for (size_t d = 1; d < tensor.dims.size(); ++d) bytes *= static_cast<uint64_t>(tensor.dims[d]);
    total += bytes;
  }
  return total;
}

Status Synthesize(const SynthSpec& spec, const std::string& path, FileSystem& fs,
                  const Progress& progress) {
  AC_ASSIGN_OR_RETURN(const Plan plan, MakePlan(spec));
  GgufMetadataBuilder metadata;
  AC_RETURN_IF_ERROR(AddConfigMetadata(plan.config, spec.recipe, &metadata));
  AddSynthTokenizer(plan.config.vocab_size, &metadata);
  AC_ASSIGN_OR_RETURN(const std::unique_ptr<GgufWriter> writer,
                      GgufWriter::Create(fs, path, metadata, plan.tensors));
  AC_RETURN_IF_ERROR(SynthWriter(plan, spec.seed, writer.get(), progress).Run());
  return writer->Finish();
}

}  // namespace ac::weights
