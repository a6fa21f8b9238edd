#include "bench/kernel_rates.h"

#include <cassert>
#include <random>

#include "kernels/kernels.h"
#include "kv/layout.h"
#include "quant/quant.h"

namespace ac::bench {
namespace {

constexpr ac_quant_type kFormats[] = {AC_Q4_0, AC_Q4_K, AC_Q5_K, AC_Q6_K, AC_Q8_0,
                                      AC_Q5_0, AC_F16,  AC_BF16, AC_F32};
// A model with 32 heads over 8 KV heads of 128 dimensions.
constexpr int32_t kHeads = 32, kKvHeads = 8, kDim = 128;

std::vector<float> Random(int64_t n) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = normal(random);
  return values;
}

void Rate(KernelRate* rate, double flops, double bytes, double products_peak, const Peak& peak) {
  rate->gflop_per_s = flops / rate->seconds.median / 1e9;
  rate->gb_per_s = bytes / rate->seconds.median / 1e9;
  rate->percent_of_peak = rate->tokens == 1 ? 100 * rate->gb_per_s / peak.read_gb_per_s
                                            : 100 * rate->gflop_per_s / products_peak;
}

struct Matrix {
  std::vector<unsigned char> bytes;
  ac_matrix view = {};
};

Matrix RandomMatrix(ac_quant_type type, int64_t rows, int64_t cols) {
  const size_t row_bytes = quant::RowBytes(type, cols).value();
  Matrix m;
  m.bytes.resize(static_cast<size_t>(rows) * row_bytes);
  const auto row = Random(cols);
  const Status status = quant::QuantizeRow(type, row.data(), cols, m.bytes.data());
  assert(status.ok());
  static_cast<void>(status);
  for (size_t at = row_bytes; at < m.bytes.size(); at += row_bytes) {
    std::copy_n(m.bytes.begin(), row_bytes, m.bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  m.view.type = type;
  m.view.rows = rows;
  m.view.cols = cols;
  m.view.data = m.bytes.data();
  m.view.row_bytes = row_bytes;
  return m;
}

KernelRate MatMulRate(kernels::Kernels& kernels, ac_quant_type type, int64_t tokens,
                      const KernelOptions& options, const Peak& peak) {
  const Matrix m = RandomMatrix(type, options.rows, options.cols);
  const auto x = Random(tokens * options.cols);
  std::vector<float> out(static_cast<size_t>(tokens * options.rows));
  const kernels::Product product{x.data(), tokens, &m.view, nullptr, out.data(), 0};
  KernelRate rate;
  rate.kernel = "matmul " + std::string(quant::InfoOf(type).name);
  rate.tokens = tokens;
  rate.seconds = TimeOf(options.repetitions, [&] { kernels.MatMul({&product, 1}); });
  const bool floats = type == AC_F32 || type == AC_F16 || type == AC_BF16;
  Rate(&rate, 2.0 * static_cast<double>(tokens * options.rows * options.cols),
       static_cast<double>(m.bytes.size()), floats ? peak.float_gflops : peak.byte_gops, peak);
  return rate;
}

struct CacheType {
  ac_kv_type kernel;
  kv::KvType layout;
  const char* name;
};
constexpr CacheType kCacheTypes[] = {{AC_KV_F32, kv::KvType::kF32, "f32"},
                                     {AC_KV_BF16, kv::KvType::kBF16, "bf16"},
                                     {AC_KV_Q8, kv::KvType::kQ8, "q8"}};

KernelRate AttentionRate(kernels::Kernels& kernels, const CacheType& type, int64_t tokens,
                         const KernelOptions& options, const Peak& peak) {
  const kv::PageLayout layout{.n_layers = 1,
                              .n_kv_heads = kKvHeads,
                              .head_dim = kDim,
                              .page_tokens = kv::kPageTokens,
                              .type = type.layout};
  const int64_t context = options.depth + tokens;
  const auto pages = static_cast<size_t>((context + kv::kPageTokens - 1) / kv::kPageTokens);
  std::vector<unsigned char> memory(pages * layout.page_bytes());
  std::vector<unsigned char*> addresses;
  for (size_t i = 0; i < pages; ++i) addresses.push_back(&memory[i * layout.page_bytes()]);
  const ac_kv_view view{.pages = addresses.data(),
                        .key_offset = layout.key_offset(0, 0),
                        .value_offset = layout.value_offset(0, 0),
                        .head_bytes = layout.head_bytes(),
                        .type = type.kernel,
                        .page_tokens = layout.page_tokens,
                        .n_kv_heads = kKvHeads,
                        .head_dim = kDim};
  const auto k = Random(context * kKvHeads * kDim);
  kernels.KvWrite(view, 0, context, k.data(), k.data());
  const auto q = Random(tokens * kHeads * kDim);
  std::vector<float> out(q.size());
  const ac_attention attention{q.data(), out.data(), tokens, options.depth,
                               kHeads,   0.088f,     0,      view};
  KernelRate rate;
  rate.kernel = std::string("attention ") + type.name;
  rate.tokens = tokens;
  rate.depth = options.depth;
  rate.seconds = TimeOf(options.repetitions, [&] { kernels.Attention({&attention, 1}); });
  const double pairs = static_cast<double>(tokens) * static_cast<double>(options.depth) +
                       static_cast<double>(tokens * (tokens + 1)) / 2;
  Rate(&rate, 4.0 * kHeads * kDim * pairs,
       static_cast<double>(context) * static_cast<double>(layout.token_bytes()), peak.float_gflops,
       peak);
  return rate;
}

}  // namespace

void MeasureKernels(const ac_kernel_table& table, cpu::ThreadPool& pool,
                    const KernelOptions& options, const Peak& peak,
                    const std::function<void(const KernelRate&)>& on_result) {
  kernels::Kernels kernels(table, pool);
  for (const ac_quant_type type : kFormats) {
    for (const int64_t tokens : {int64_t{1}, options.tokens}) {
      on_result(MatMulRate(kernels, type, tokens, options, peak));
    }
  }
  for (const CacheType& type : kCacheTypes) {
    for (const int64_t tokens : {int64_t{1}, options.tokens}) {
      on_result(AttentionRate(kernels, type, tokens, options, peak));
    }
  }
}

json::Object ToJson(const KernelRate& rate) {
  return {{"kernel", rate.kernel},
          {"tokens", rate.tokens},
          {"depth", rate.depth},
          {"seconds", rate.seconds.median},
          {"gflop_per_s", rate.gflop_per_s},
          {"gb_per_s", rate.gb_per_s},
          {"percent_of_peak", rate.percent_of_peak}};
}

}  // namespace ac::bench
