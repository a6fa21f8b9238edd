#include "trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "muon.h"

namespace ac::starter {
namespace {

constexpr char kMagic[8] = {'A', 'C', 'S', 'T', 'A', 'R', 'T', '1'};

// Rows of it are seen seldom and on their own: no matrix in Muon's sense.
constexpr std::string_view kEmbedding = "token_embd.weight";

struct CheckpointHeader {
  char magic[8];
  int64_t step;
  int64_t size;
};

}  // namespace

Trainer::Trainer(Network* network, const TrainOptions& options, cpu::ThreadPool* pool)
    : network_(*network), ops_(network->ops()), options_(options), pool_(*pool) {
  const auto size = static_cast<size_t>(network_.parameters().size());
  values_ = network_.parameters().Initialize(options.seed, network_.config().n_layers);
  first_.assign(size, 0.0f);
  second_.assign(size, 0.0f);
  for (int64_t i = 0; i < kSlots; ++i) {
    slots_.push_back({network_.MakeScratch(), std::vector<float>(size), {}});
  }
  Repack();
}

void Trainer::Repack() {
  pool_.ParallelFor(network_.matrices(), 1, [this](int64_t begin, int64_t end, int) {
    network_.Pack(values_, begin, end);
  });
}

double Trainer::Rate(int64_t step) const {
  const auto steps = static_cast<double>(options_.steps);
  const double warm = static_cast<double>(step + 1) / static_cast<double>(options_.warmup);
  const double left = (steps - static_cast<double>(step)) / (steps * options_.decay_share);
  return options_.rate * std::max(0.0, std::min({1.0, warm, left}));
}

Loss Trainer::RunRows(std::span<const Row> rows, float loss_scale, bool with_gradient) {
  const auto count = static_cast<int64_t>(rows.size());
  pool_.ParallelFor(kSlots, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      Slot& slot = slots_[static_cast<size_t>(i)];
      slot.loss = {};
      if (with_gradient) std::fill(slot.gradient.begin(), slot.gradient.end(), 0.0f);
      for (int64_t row = i; row < count; row += kSlots) {
        const Loss loss =
            network_.Train(rows[static_cast<size_t>(row)], values_, loss_scale, slot.scratch.get(),
                           with_gradient ? std::span<float>(slot.gradient) : std::span<float>());
        slot.loss.sum += loss.sum;
        slot.loss.weight += loss.weight;
      }
    }
  });
  Loss total;
  for (const Slot& slot : slots_) {
    total.sum += slot.loss.sum;
    total.weight += slot.loss.weight;
  }
  return total;
}

double Trainer::Evaluate(std::span<const Row> rows) {
  const Loss loss = RunRows(rows, 1.0f, false);
  return loss.sum / std::max(1.0, loss.weight);
}

double Trainer::Step(std::span<const Row> rows) {
  double weight = 0;
  for (const Row& row : rows) {
    for (int64_t i = 1; i <= row.length; ++i) weight += row.weights[i] / 255.0;
  }
  weight = std::max(1.0, weight);
  const Loss loss = RunRows(rows, static_cast<float>(1.0 / weight), true);

  constexpr int64_t kPiece = 1 << 14;
  const int64_t size = network_.parameters().size();
  const int64_t pieces = (size + kPiece - 1) / kPiece;
  std::vector<double> squares(static_cast<size_t>(pieces));
  float* const gradient = slots_[0].gradient.data();
  pool_.ParallelFor(pieces, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t at = piece * kPiece;
      const int64_t n = std::min(kPiece, size - at);
      for (size_t i = 1; i < slots_.size(); ++i) {
        ops_.add(gradient + at, slots_[i].gradient.data() + at, n);
      }
      squares[static_cast<size_t>(piece)] = ops_.sum_of_squares(gradient + at, n);
    }
  });
  double norm = 0;
  for (const double square : squares) norm += square;
  norm = std::sqrt(norm);
  const auto scale = static_cast<float>(norm > options_.clip ? options_.clip / norm : 1.0);

  const double rate = Rate(step_);
  const auto& tensors = network_.parameters().tensors();
  pool_.ParallelFor(static_cast<int64_t>(tensors.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) Update(tensors[static_cast<size_t>(i)], scale, rate);
  });
  Repack();
  ++step_;
  return loss.sum / std::max(1.0, loss.weight);
}

void Trainer::Update(const ParameterTensor& tensor, float scale, double rate) {
  const int64_t at = tensor.offset;
  float* const w = values_.data() + at;
  const float* const g = slots_[0].gradient.data() + at;
  const auto decay = static_cast<float>(tensor.is_matrix() ? rate * options_.weight_decay : 0.0);
  if (tensor.is_matrix() && tensor.name != kEmbedding) {
    MuonScratch scratch;
    MuonStep(ops_, tensor.dims[1], tensor.dims[0], g, scale, static_cast<float>(options_.momentum),
             static_cast<float>(rate), decay, w, first_.data() + at, &scratch);
    return;
  }
  const auto t = static_cast<double>(step_ + 1);
  const double correction =
      std::sqrt(1.0 - std::pow(options_.beta2, t)) / (1.0 - std::pow(options_.beta1, t));
  ops_.adamw(w, g, first_.data() + at, second_.data() + at, tensor.size, scale,
             static_cast<float>(rate * correction), static_cast<float>(options_.beta1),
             static_cast<float>(options_.beta2), 1e-8f, decay);
}

Status Trainer::Save(const std::string& path, FileSystem& fs) const {
  CheckpointHeader header{.step = step_, .size = network_.parameters().size()};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::string content(reinterpret_cast<const char*>(&header), sizeof header);
  for (const std::vector<float>* part : {&values_, &first_, &second_}) {
    content.append(reinterpret_cast<const char*>(part->data()), part->size() * sizeof(float));
  }
  return WriteFileAtomic(fs, path, content);
}

Status Trainer::Load(const std::string& path, FileSystem& fs) {
  AC_ASSIGN_OR_RETURN(const std::string content, ReadFile(fs, path));
  CheckpointHeader header{};
  const size_t bytes = values_.size() * sizeof(float);
  const bool whole = content.size() == sizeof header + 3 * bytes;
  if (whole) std::memcpy(&header, content.data(), sizeof header);
  if (!whole || std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 ||
      header.size != network_.parameters().size()) {
    return DataLoss("[starter] " + path +
                    " is no checkpoint of this shape; remove it to start from the beginning");
  }
  const char* from = content.data() + sizeof header;
  for (std::vector<float>* part : {&values_, &first_, &second_}) {
    std::memcpy(part->data(), from, bytes);
    from += bytes;
  }
  step_ = header.step;
  Repack();
  return OkStatus();
}

}  // namespace ac::starter
