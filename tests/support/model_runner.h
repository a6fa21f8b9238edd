// A model with everything it needs around it, for tests: file, threads, kernels, pages.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cpu/thread_pool.h"
#include "kernels/select.h"
#include "kv/page_pool.h"
#include "model/model.h"
#include "weights/model_file.h"

namespace ac::testing {

class ModelRunner {
 public:
  struct Options {
    const ac_kernel_table* table = &ac_kernels_ref;
    kv::KvType kv_type = kv::KvType::kF32;
    int max_block_tokens = 512;
    int threads = 2;
    int pages = 64;
  };

  // A sequence under construction: its pages and how many positions they hold.
  struct Sequence {
    std::vector<kv::PageId> pages;
    int64_t length = 0;
  };

  struct Input {
    Sequence* sequence;
    std::vector<model::TokenId> tokens;
    model::LogitRows logits = model::LogitRows::kLast;
    float* pooled = nullptr;
  };

  static Result<std::unique_ptr<ModelRunner>> Open(const std::string& path,
                                                   const Options& options) {
    auto file = weights::ModelFile::Open(path);
    if (!file.ok()) return file.status();
    return Open(std::move(file).value(), options);
  }

  static Result<std::unique_ptr<ModelRunner>> Open(std::unique_ptr<weights::ModelFile> file,
                                                   const Options& options) {
    auto runner = std::unique_ptr<ModelRunner>(new ModelRunner(std::move(file), options.threads));
    auto model =
        model::Model::Create(*runner->file_, {.table = options.table,
                                              .pool = &runner->threads_,
                                              .max_block_tokens = options.max_block_tokens});
    if (!model.ok()) return model.status();
    runner->model_ = std::move(model).value();
    auto pool = kv::PagePool::Create(runner->model_->Layout(options.kv_type), options.pages);
    if (!pool.ok()) return pool.status();
    runner->pool_ = std::make_unique<kv::PagePool>(std::move(pool).value());
    return runner;
  }

  model::Model& model() { return *model_; }
  kv::PagePool& pool() { return *pool_; }
  const weights::ModelFile& file() const { return *file_; }

  // Appends the inputs to their sequences in one Forward; returns one row of logits per row asked.
  Result<std::vector<std::vector<float>>> Run(std::vector<Input> inputs) {
    std::vector<model::Chunk> batch;
    for (Input& input : inputs) {
      Sequence& s = *input.sequence;
      const int64_t end = s.length + static_cast<int64_t>(input.tokens.size());
      while (static_cast<int64_t>(s.pages.size()) * kv::kPageTokens < end) {
        auto page = pool_->Allocate();
        if (!page.ok()) return page.status();
        s.pages.push_back(*page);
      }
      batch.push_back({.tokens = input.tokens,
                       .position = s.length,
                       .pages = s.pages,
                       .logits = input.logits,
                       .pooled = input.pooled});
    }
    const auto width = static_cast<size_t>(model_->config().vocab_size);
    const auto rows = static_cast<size_t>(model::CountLogitRows(batch));
    std::vector<float> logits(rows * width);
    AC_RETURN_IF_ERROR(model_->Forward(batch, *pool_, logits.data()));
    for (Input& input : inputs) input.sequence->length += static_cast<int64_t>(input.tokens.size());
    std::vector<std::vector<float>> result;
    for (size_t r = 0; r < rows; ++r) {
      result.emplace_back(logits.begin() + static_cast<std::ptrdiff_t>(r * width),
                          logits.begin() + static_cast<std::ptrdiff_t>((r + 1) * width));
    }
    return result;
  }

  void Free(Sequence& sequence) {
    for (kv::PageId page : sequence.pages) pool_->Release(page);
    sequence = {};
  }

 private:
  ModelRunner(std::unique_ptr<weights::ModelFile> file, int threads)
      : file_(std::move(file)), threads_(cpu::ThreadPool::Options{.threads = threads}) {}

  std::unique_ptr<weights::ModelFile> file_;
  cpu::ThreadPool threads_;
  std::unique_ptr<model::Model> model_;
  std::unique_ptr<kv::PagePool> pool_;
};

}  // namespace ac::testing
