// Muon for the matrices and AdamW for the rest, over batches of rows, with checkpoints that
// continue exactly where they stopped.
//
// A batch is cut into a fixed number of slots, each with its own gradient, so that the result does
// not depend on how many threads there are. One thread calls; the pool does the work.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status.h"
#include "cpu/thread_pool.h"
#include "network.h"

namespace ac::starter {

struct TrainOptions {
  int64_t steps = 20000;
  int64_t warmup = 100;
  double decay_share = 0.4;  // the last part of the steps, over which the rate falls to nothing
  double rate = 3e-3;
  double weight_decay = 0.05;
  double momentum = 0.95;            // of Muon
  double beta1 = 0.9, beta2 = 0.98;  // of AdamW
  double clip = 1.0;                 // largest norm of the gradient
  uint64_t seed = 1;
};

class Trainer {
 public:
  Trainer(Network* network, const TrainOptions& options, cpu::ThreadPool* pool);

  // The mean loss of the rows' answers before the step.
  double Step(std::span<const Row> rows);
  double Evaluate(std::span<const Row> rows);

  int64_t step() const { return step_; }
  std::span<const float> values() const { return values_; }
  double Rate(int64_t step) const;

  Status Save(const std::string& path, FileSystem& fs) const;
  // kDataLoss when the file is no checkpoint of this shape.
  Status Load(const std::string& path, FileSystem& fs);

 private:
  static constexpr int64_t kSlots = 4;
  struct Slot {
    Network::ScratchPtr scratch;
    std::vector<float> gradient;
    Loss loss;
  };

  void Repack();
  void Update(const ParameterTensor& tensor, float scale, double rate);
  Loss RunRows(std::span<const Row> rows, float loss_scale, bool with_gradient);

  Network& network_;
  const ac_train_ops& ops_;
  const TrainOptions options_;
  cpu::ThreadPool& pool_;
  std::vector<float> values_, first_, second_;
  std::vector<Slot> slots_;
  int64_t step_ = 0;
};

}  // namespace ac::starter
