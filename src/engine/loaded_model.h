// Everything that opening a model gives: file, tokenizer, kernels, threads and the forward pass.
//
// Owns all of it and hands out references; keep it alive as long as an Engine uses it. Immutable
// after Load except for the forward pass, which belongs to the engine thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "cpu/thread_pool.h"
#include "engine/sampler.h"
#include "kv/page_pool.h"
#include "model/forward_model.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"
#include "weights/model_file.h"

namespace ac::engine {

struct LoadOptions {
  int threads = 0;             // 0: one per usable core
  std::string isa;             // force a kernel table; empty: the best one
  int64_t context_length = 0;  // 0: the model's own
};

struct KvBudget {
  kv::KvType type = kv::KvType::kBF16;
  int64_t bytes = 0;  // 0: a quarter of the available memory
};

// The sampling values a model's makers recommend, for what a request leaves unset: by architecture;
// a GGUF file that carries its own (general.sampling.*) decides each of them. Values out of range
// are left out. `metadata` may be null.
SamplingParams RecommendedSampling(std::string_view architecture,
                                   const weights::GgufMetadata* metadata);

class LoadedModel : public model::ForwardModel {
 public:
  static Result<std::unique_ptr<LoadedModel>> Load(const std::string& path,
                                                   const LoadOptions& options);
  ~LoadedModel() override;

  const weights::ModelFile& file() const { return *file_; }
  const tokenizer::Tokenizer& tokenizer() const { return *tokenizer_; }
  const model::Model& model() const { return *model_; }
  const std::string& kernel_choice() const { return kernel_choice_; }  // one line for people
  // Names how the kernel table lays out a page's bytes.
  const std::string& kv_layout() const { return kv_layout_; }
  int threads() const { return pool_->threads(); }

  // The pool for one Engine: as many pages as the budget allows, at most what several full contexts
  // need. Fails with the numbers when it does not hold even one context of a useful size.
  Result<kv::PagePool> MakePages(const KvBudget& budget) const;

  int vocab_size() const override;
  int64_t context_length() const override;
  int embedding_size() const override;
  void SetInterrupt(const std::atomic<bool>* flag) override { model_->SetInterrupt(flag); }
  Status Forward(std::span<const model::Chunk> batch, kv::PagePool& pages, float* logits) override;

 private:
  LoadedModel();

  std::unique_ptr<weights::ModelFile> file_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_;
  std::unique_ptr<cpu::ThreadPool> pool_;
  std::unique_ptr<model::Model> model_;
  std::string kernel_choice_;
  std::string kv_layout_;
  int64_t context_length_ = 0;
};

}  // namespace ac::engine
