// A model without weights whose answer depends on every token it was given.
//
// It stores each token in the KV pages and chooses the next one from a hash of all tokens it finds
// there. So a wrong page, a stale copy or a missed token changes the text, and the expected text of
// any prompt can be computed without an engine.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "model/forward_model.h"

namespace ac::testing {

class ToyModel : public model::ForwardModel {
 public:
  explicit ToyModel(int vocab = 64, int64_t context = 4096) : vocab_(vocab), context_(context) {}

  static kv::PageLayout Layout(int page_tokens = 4) {
    return {.n_layers = 1,
            .n_kv_heads = 1,
            .head_dim = 1,
            .page_tokens = page_tokens,
            .type = kv::KvType::kF32};
  }

  // The token that follows a sequence.
  virtual int32_t Next(std::span<const int32_t> tokens) const {
    uint32_t hash = 2166136261u;
    for (const int32_t token : tokens) hash = (hash ^ static_cast<uint32_t>(token)) * 16777619u;
    return static_cast<int32_t>((hash >> 8) % static_cast<uint32_t>(vocab_));
  }
  // What follows `seen` for sure; a test may make it a distribution.
  virtual void WriteLogits(std::span<const int32_t> seen, float* logits) const {
    std::fill_n(logits, vocab_, 0.0f);
    logits[Next(seen)] = 20.0f;
  }
  std::vector<int32_t> Continue(std::vector<int32_t> tokens, int count) const {
    std::vector<int32_t> out;
    for (int i = 0; i < count; ++i) {
      out.push_back(Next(tokens));
      tokens.push_back(out.back());
    }
    return out;
  }

  int vocab_size() const override { return vocab_; }
  int64_t context_length() const override { return context_; }
  int embedding_size() const override { return 2; }

  void SetInterrupt(const std::atomic<bool>* flag) override { interrupt = flag; }
  Status Forward(std::span<const model::Chunk> batch, kv::PagePool& pages, float* logits) override {
    ++steps;
    largest_batch = std::max(largest_batch.load(), static_cast<int>(batch.size()));
    if (on_forward) {
      if (Status status = on_forward(batch); !status.ok()) return status;
    }
    for (const model::Chunk& chunk : batch) {
      if (chunk.arriving != nullptr && !chunk.arriving->WaitForLayers(Layout().n_layers)) {
        return DataLoss("[toy] the prefix did not come");
      }
      tokens_computed += static_cast<int64_t>(chunk.tokens.size());
      // The hidden state of a token is its number and its square.
      for (const int32_t token : chunk.tokens) {
        if (chunk.pooled == nullptr) break;
        chunk.pooled[0] += static_cast<float>(token);
        chunk.pooled[1] += static_cast<float>(token) * static_cast<float>(token);
      }
      for (size_t i = 0; i < chunk.tokens.size(); ++i) {
        *Slot(pages, chunk, chunk.position + static_cast<int64_t>(i)) =
            static_cast<float>(chunk.tokens[i]);
      }
      if (chunk.logits == model::LogitRows::kNone) continue;
      const auto count = static_cast<int64_t>(chunk.tokens.size());
      const int64_t first = chunk.logits == model::LogitRows::kAll ? 0 : count - 1;
      for (int64_t i = first; i < count; ++i) {
        std::vector<int32_t> seen;
        for (int64_t p = 0; p <= chunk.position + i; ++p) {
          seen.push_back(static_cast<int32_t>(*Slot(pages, chunk, p)));
        }
        WriteLogits(seen, logits);
        logits += vocab_;
      }
    }
    return OkStatus();
  }

  std::atomic<const std::atomic<bool>*> interrupt{nullptr};
  std::atomic<int> steps{0};
  std::atomic<int> largest_batch{0};
  std::atomic<int64_t> tokens_computed{0};
  // Runs at the start of every step, on the engine thread; a failure fails the step.
  std::function<Status(std::span<const model::Chunk>)> on_forward;

 private:
  static float* Slot(kv::PagePool& pages, const model::Chunk& chunk, int64_t position) {
    const int64_t page_tokens = pages.layout().page_tokens;
    std::byte* page = pages.data(chunk.pages[static_cast<size_t>(position / page_tokens)]);
    return reinterpret_cast<float*>(page) + position % page_tokens;
  }

  const int vocab_;
  const int64_t context_;
};

}  // namespace ac::testing
