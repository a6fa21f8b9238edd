// Logits for tokens: all that the engine and the draft side need of a model.
//
// Production is engine::LoadedModel over Model; tests of serving use a scripted one, so that
// everything but the weights is real. Called from the engine thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/status.h"
#include "kv/page_pool.h"
#include "model/model.h"

namespace ac::model {

class ForwardModel {
 public:
  virtual ~ForwardModel() = default;
  virtual int vocab_size() const = 0;
  virtual int64_t context_length() const = 0;
  // Bytes of the state that a sequence has beside its pages: what recurrent layers know of all
  // tokens before. All zero at the beginning. 0: the model has none, as every attention model.
  // A call that fails leaves the states of its chunks as they were.
  virtual size_t state_bytes() const { return 0; }
  // Numbers in Chunk::pooled; 0: this model gives none.
  virtual int embedding_size() const { return 0; }
  // Another thread may set the flag while Forward runs; then Forward gives up soon, with
  // kCancelled, and the pages beyond what was computed before hold nothing of use. The flag must
  // outlive the model's use; null: none.
  virtual void SetInterrupt(const std::atomic<bool>* flag) { (void)flag; }
  // See Model::Forward.
  virtual Status Forward(std::span<const Chunk> batch, kv::PagePool& pages, float* logits) = 0;
};

}  // namespace ac::model
