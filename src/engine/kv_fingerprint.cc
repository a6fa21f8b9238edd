#include "engine/kv_fingerprint.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "kv/disk_folder.h"
#include "obs/log.h"

namespace ac::engine {
namespace {

// Raised when our own arithmetic changes what a page holds.
constexpr uint64_t kNumericsVersion = 1;
constexpr size_t kSampleBytes = 256;

class Mixer {
 public:
  void Add(const void* data, size_t size) {
    const uint64_t chain[3] = {hash_.high, hash_.low, size};
    hash_ = Hash128Of(data, size, Hash64(chain, sizeof(chain)));
  }
  void Add(std::string_view text) { Add(text.data(), text.size()); }
  void Add(int64_t value) { Add(&value, sizeof(value)); }
  void Add(double value) { Add(std::bit_cast<int64_t>(value)); }
  Hash128 hash() const { return hash_; }

 private:
  Hash128 hash_{kNumericsVersion, kv::kPageFileVersion};
};

void AddMatrix(const ac_matrix& matrix, Mixer* mixer) {
  if (matrix.data == nullptr) return;
  const size_t bytes = static_cast<size_t>(matrix.rows) * matrix.row_bytes;
  const size_t sample = std::min(bytes, kSampleBytes);
  const auto* data = static_cast<const std::byte*>(matrix.data);
  mixer->Add(data + (bytes - sample) / 2, sample);
  mixer->Add(data + (bytes - sample), sample);
}

void AddWeights(const weights::ModelFile& file, Mixer* mixer) {
  for (const weights::Tensor& tensor : file.tensors()) {
    mixer->Add(tensor.name);
    mixer->Add(static_cast<int64_t>(tensor.type));
    for (const int64_t dim : tensor.dims) mixer->Add(dim);
    AddMatrix(tensor.matrix, mixer);
    if (!tensor.expert_matrices.empty()) AddMatrix(tensor.expert_matrices.back(), mixer);
  }
}

void AddTokenizer(const tokenizer::Tokenizer& tokenizer, Mixer* mixer) {
  std::string all;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    all += tokenizer.TokenBytes(id);
    all += '\0';
  }
  mixer->Add(all);
}

void AddConfig(const weights::ModelConfig& config, Mixer* mixer) {
  mixer->Add(config.architecture);
  const weights::RopeConfig& rope = config.rope;
  for (const int64_t value :
       {int64_t{config.n_layers}, int64_t{config.d_model}, int64_t{config.n_heads},
        int64_t{config.n_kv_heads}, int64_t{config.head_dim}, int64_t{config.n_experts_used},
        int64_t{config.normalize_expert_weights}, int64_t{config.sliding_window},
        static_cast<int64_t>(rope.style), int64_t{rope.dims}, static_cast<int64_t>(rope.scaling),
        int64_t{rope.original_context}, int64_t{config.attention_temperature_floor}}) {
    mixer->Add(value);
  }
  for (const bool sliding : config.sliding_layers) mixer->Add(int64_t{sliding});
  for (const float value :
       {config.norm_eps, rope.base, rope.factor, rope.attention_factor, rope.beta_fast,
        rope.beta_slow, rope.extrapolation_factor, rope.low_freq_factor, rope.high_freq_factor,
        config.attention_temperature}) {
    mixer->Add(static_cast<double>(value));
  }
}

void AddLayout(const kv::PageLayout& layout, Mixer* mixer) {
  for (const int value : {layout.n_layers, layout.n_kv_heads, layout.head_dim, layout.page_tokens,
                          static_cast<int>(layout.type)}) {
    mixer->Add(int64_t{value});
  }
  mixer->Add(static_cast<int64_t>(layout.page_bytes()));
}

}  // namespace

Hash128 KvFingerprint(const LoadedModel& model, const kv::PageLayout& layout) {
  Mixer mixer;
  AddWeights(model.file(), &mixer);
  AddTokenizer(model.tokenizer(), &mixer);
  AddConfig(model.file().config(), &mixer);
  AddLayout(layout, &mixer);
  mixer.Add(model.kv_layout());
  return mixer.hash();
}

Result<std::shared_ptr<kv::DiskStore>> OpenDiskStore(const LoadedModel& model,
                                                     const kv::PagePool& pages,
                                                     const std::string& root, uint64_t max_bytes) {
  kv::DiskStoreOptions options;
  options.fingerprint = KvFingerprint(model, pages.layout());
  options.folder = kv::FingerprintFolder(root, options.fingerprint);
  options.about = "model: " + BaseName(model.file().path()) +
                  "\narchitecture: " + model.file().config().architecture +
                  "\npage bytes: " + std::to_string(pages.layout().page_bytes()) + "\n";
  options.max_bytes = max_bytes;
  // The rest of the memory must stay free for the requests themselves.
  options.max_queued = static_cast<size_t>(std::max<int64_t>(pages.total_pages() / 2, 1));
  options.warn = [](const std::string& line) { obs::Warn("kv", line); };
  AC_ASSIGN_OR_RETURN(std::unique_ptr<kv::DiskStore> store,
                      kv::DiskStore::Open(std::move(options), pages.layout()));
  return std::shared_ptr<kv::DiskStore>(std::move(store));
}

}  // namespace ac::engine
