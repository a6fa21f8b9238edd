#include "model/model.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/kernels.h"
#include "model/architecture.h"

namespace ac::model {
namespace {

Status CheckChunk(const Chunk& chunk, size_t index, const weights::ModelConfig& config,
                  const kv::PagePool& pages) {
  const auto bad = [&](const std::string& what) {
    return InvalidArgument("[model] chunk " + std::to_string(index) + ": " + what);
  };
  const auto tokens = static_cast<int64_t>(chunk.tokens.size());
  const int64_t page_tokens = pages.layout().page_tokens;
  if (tokens == 0) return bad("no tokens");
  if (chunk.position < 0) return bad("negative position");
  if (static_cast<int64_t>(chunk.pages.size()) * page_tokens < chunk.position + tokens) {
    return bad("the block table ends before position " + std::to_string(chunk.position + tokens));
  }
  for (kv::PageId page : chunk.pages) {
    if (page < 0 || page >= pages.total_pages()) {
      return bad("page " + std::to_string(page) + " is not in the pool");
    }
  }
  for (TokenId token : chunk.tokens) {
    if (token < 0 || token >= config.vocab_size) {
      return bad("token id " + std::to_string(token) + " is outside the vocabulary of " +
                 std::to_string(config.vocab_size));
    }
  }
  return OkStatus();
}

std::string Joined(std::span<const std::string_view> names) {
  std::string text;
  for (std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace

struct Model::Impl {
  Impl(const weights::ModelFile& file, const Options& options, Rope the_rope)
      : config(file.config()),
        max_block(std::max(1, options.max_block_tokens)),
        rope(std::move(the_rope)),
        kernels(*options.table, *options.pool),
        step(config, rope, kernels) {}

  // One block: consecutive pieces of chunks, together at most max_block tokens.
  struct Block {
    std::vector<Segment> segments;
    std::vector<TokenId> tokens;
    std::vector<int64_t> logit_rows;  // rows of the block whose logits are wanted, ascending
    struct PooledRow {
      int64_t row;
      float* sum;
    };
    std::vector<PooledRow> pooled_rows;  // rows whose hidden states are summed up
  };

  void Embed(const Block& block);
  float* Head(const Block& block, float* logits);
  void Pool(const Block& block);
  // Not beside a restore: its owner settles it after the pass.
  bool interrupted() const { return interrupt != nullptr && arriving.empty() && interrupt->load(); }
  // Returns where the next logits go; null: interrupted.
  float* Run(const Block& block, const kv::PageLayout& layout, float* logits);
  bool Arrived(int layer) const;

  const weights::ModelConfig& config;
  const int64_t max_block;
  const Rope rope;
  std::unique_ptr<Architecture> architecture;
  ac_matrix embedding = {};
  Norm output_norm;
  ac_matrix output = {};  // the embedding itself when tied
  kernels::Kernels kernels;
  const std::atomic<bool>* interrupt = nullptr;
  Step step;
  AlignedBuffer<float> x;              // [block tokens, d_model]
  AlignedBuffer<float> last;           // [logit rows, d_model]
  std::vector<kv::Restore*> arriving;  // of the batch at hand
};

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

const weights::ModelConfig& Model::config() const { return impl_->config; }

kv::PageLayout Model::Layout(kv::KvType type) const {
  kv::PageLayout layout;
  layout.n_layers = impl_->config.n_layers;
  layout.n_kv_heads = impl_->config.n_kv_heads;
  layout.head_dim = impl_->config.head_dim;
  layout.type = type;
  return layout;
}

int64_t CountLogitRows(std::span<const Chunk> batch) {
  int64_t rows = 0;
  for (const Chunk& chunk : batch) {
    if (chunk.logits == LogitRows::kLast) rows += 1;
    if (chunk.logits == LogitRows::kAll) rows += static_cast<int64_t>(chunk.tokens.size());
  }
  return rows;
}

Result<std::unique_ptr<Model>> Model::Create(const weights::ModelFile& file,
                                             const Options& options) {
  assert(options.table != nullptr && options.pool != nullptr);
  const ArchitectureEntry* entry = FindArchitecture(file.config().architecture);
  if (entry == nullptr) {
    return Unsupported("[model] " + file.path() + ": architecture '" + file.config().architecture +
                       "' is not supported; these are: " + Joined(SupportedArchitectures()));
  }
  const weights::ModelConfig& config = file.config();
  TensorLoader tensors(file);
  const auto factors = tensors.OptionalVector("rope_freqs.weight", config.rope.dims / 2);
  AC_RETURN_IF_ERROR(tensors.status());
  auto rope = Rope::Create(config.rope, factors);
  if (!rope.ok()) return rope.status().WithPrefix(file.path());

  auto impl = std::make_unique<Impl>(file, options, std::move(rope).value());
  impl->embedding = tensors.Matrix("token_embd.weight", config.vocab_size, config.d_model);
  impl->output_norm = tensors.Vector("output_norm.weight", config.d_model);
  impl->output = tensors.Has("output.weight")
                     ? tensors.Matrix("output.weight", config.vocab_size, config.d_model)
                     : impl->embedding;
  impl->architecture = entry->create();
  impl->architecture->Load(tensors);
  AC_RETURN_IF_ERROR(tensors.status());
  return std::unique_ptr<Model>(new Model(std::move(impl)));
}

void Model::Impl::Embed(const Block& block) {
  const int64_t width = config.d_model;
  x.EnsureSize(block.tokens.size() * static_cast<size_t>(width));
  kernels.ForRows(static_cast<int64_t>(block.tokens.size()), width,
                  [&](int64_t begin, int64_t end) {
                    for (int64_t t = begin; t < end; ++t) {
                      kernels::EmbeddingRow(embedding, block.tokens[static_cast<size_t>(t)],
                                            x.data() + t * width);
                    }
                  });
}

// Logits of the rows that were asked for; returns where the next ones go.
float* Model::Impl::Head(const Block& block, float* logits) {
  const auto rows = static_cast<int64_t>(block.logit_rows.size());
  if (rows == 0) return logits;
  const int64_t width = config.d_model;
  last.EnsureSize(static_cast<size_t>(rows * width));
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(last.data() + r * width,
                x.data() + block.logit_rows[static_cast<size_t>(r)] * width,
                static_cast<size_t>(width) * sizeof(float));
  }
  kernels.RmsNorm(last.data(), output_norm.data(), config.norm_eps, rows, width, last.data());
  const kernels::Product head{last.data(), rows, &output, nullptr, logits, 0};
  kernels.MatMul({&head, 1});
  return logits + rows * config.vocab_size;
}

bool Model::Impl::Arrived(int layer) const {
  return std::all_of(arriving.begin(), arriving.end(),
                     [layer](kv::Restore* restore) { return restore->WaitForLayers(layer + 1); });
}

void Model::Impl::Pool(const Block& block) {
  const auto width = static_cast<size_t>(config.d_model);
  last.EnsureSize(width);
  for (const Block::PooledRow& pooled : block.pooled_rows) {
    std::memcpy(last.data(), x.data() + static_cast<size_t>(pooled.row) * width,
                width * sizeof(float));
    kernels.RmsNorm(last.data(), output_norm.data(), config.norm_eps, 1, config.d_model,
                    last.data());
    for (size_t i = 0; i < width; ++i) pooled.sum[i] += last.data()[i];
  }
}

float* Model::Impl::Run(const Block& block, const kv::PageLayout& layout, float* logits) {
  Embed(block);
  step.Begin(block.segments, layout);
  for (int layer = 0; layer < config.n_layers; ++layer) {
    if (!Arrived(layer)) return logits;
    if (interrupted()) return nullptr;
    architecture->Layer(layer, step, x.data());
  }
  Pool(block);
  return Head(block, logits);
}

void Model::SetInterrupt(const std::atomic<bool>* flag) { impl_->interrupt = flag; }

Status Model::Forward(std::span<const Chunk> batch, kv::PagePool& pages, float* logits) {
  const kv::PageLayout& layout = pages.layout();
  const kv::PageLayout own = Layout(layout.type);
  if (layout.n_layers != own.n_layers || layout.n_kv_heads != own.n_kv_heads ||
      layout.head_dim != own.head_dim) {
    return InvalidArgument("[model] the page pool was made for another model's layout");
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    AC_RETURN_IF_ERROR(CheckChunk(batch[i], i, impl_->config, pages));
  }
  assert(logits != nullptr || CountLogitRows(batch) == 0);

  impl_->arriving.clear();
  for (const Chunk& chunk : batch) {
    if (chunk.arriving != nullptr) impl_->arriving.push_back(chunk.arriving);
  }
  const Status gave_up(Code::kCancelled, "[model] interrupted");
  std::vector<std::vector<unsigned char*>> addresses(batch.size());
  Impl::Block block;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Chunk& chunk = batch[i];
    for (kv::PageId page : chunk.pages) {
      addresses[i].push_back(reinterpret_cast<unsigned char*>(pages.data(page)));
    }
    const auto count = static_cast<int64_t>(chunk.tokens.size());
    for (int64_t done = 0; done < count;) {
      const auto row = static_cast<int64_t>(block.tokens.size());
      const int64_t take = std::min(count - done, impl_->max_block - row);
      const auto part = chunk.tokens.subspan(static_cast<size_t>(done), static_cast<size_t>(take));
      block.segments.push_back({row, take, chunk.position + done, addresses[i].data()});
      block.tokens.insert(block.tokens.end(), part.begin(), part.end());
      done += take;
      for (int64_t t = 0; t < take; ++t) {
        if (chunk.pooled != nullptr) block.pooled_rows.push_back({row + t, chunk.pooled});
        const bool is_last = done == count && t == take - 1;
        if (chunk.logits == LogitRows::kAll || (chunk.logits == LogitRows::kLast && is_last)) {
          block.logit_rows.push_back(row + t);
        }
      }
      if (row + take == impl_->max_block) {
        logits = impl_->Run(block, layout, logits);
        if (impl_->interrupted()) return gave_up;
        block = {};
      }
    }
  }
  if (!block.tokens.empty()) impl_->Run(block, layout, logits);
  if (impl_->interrupted()) return gave_up;
  if (!impl_->Arrived(impl_->config.n_layers - 1)) {
    return DataLoss("[model] a prefix that was being restored did not come");
  }
  return OkStatus();
}

}  // namespace ac::model
