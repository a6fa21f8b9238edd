// What the engine needs of a model: logits for tokens. The seam between the engine and model/.
//
// Production is ModelForward (loaded_model.h) over model::Model; tests of serving use a scripted
// one, so that everything but the weights is real. Called from the engine thread only.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "kv/page_pool.h"
#include "model/model.h"

namespace ac::engine {

class ForwardModel {
 public:
  virtual ~ForwardModel() = default;
  virtual int vocab_size() const = 0;
  virtual int64_t context_length() const = 0;
  // See model::Model::Forward.
  virtual Status Forward(std::span<const model::Chunk> batch, kv::PagePool& pages,
                         float* logits) = 0;
};

}  // namespace ac::engine
