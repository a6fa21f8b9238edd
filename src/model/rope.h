// Rotary position embedding: how fast each pair of a head turns with the position.
//
// Owns one frequency per pair. Every scaling method (linear, yarn, llama3, or the factors a GGUF
// file carries) only changes these frequencies and, for yarn, the length of the rotated vector, so
// kernels see cosines and sines and nothing else. Immutable after Create, so thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "weights/model_config.h"

namespace ac::model {

class Rope {
 public:
  // `factors`: rope_freqs.weight, which divides the frequencies; empty when the file has none. A
  // file that has it has applied llama3 scaling already.
  static Result<Rope> Create(const weights::RopeConfig& config, std::span<const float> factors);

  int dims() const { return config_.dims; }
  weights::RopeStyle style() const { return config_.style; }
  std::span<const double> frequencies() const { return frequencies_; }  // [dims / 2]
  float magnitude() const { return magnitude_; }

  // Cosines and sines of one position, [dims / 2] each.
  void Angles(int64_t position, float* cos, float* sin) const;

 private:
  weights::RopeConfig config_;
  std::vector<double> frequencies_;
  float magnitude_ = 1.0f;
};

}  // namespace ac::model
