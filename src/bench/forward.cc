#include "bench/forward.h"

#include <cstring>
#include <string>

namespace ac::bench {
namespace {

// Steps timed as one in decode, so that one wake-up of a thread is not the measurement.
constexpr int kDecodeSteps = 8;
// Read as a float, as bf16 and as a byte with its scale, this is a number near zero.
constexpr int kFill = 0x3c;

// Ids that any vocabulary has, no two neighbours alike.
std::vector<model::TokenId> SomeTokens(int64_t count, int vocabulary) {
  std::vector<model::TokenId> tokens;
  for (int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<model::TokenId>((i * 7919 + 11) % vocabulary));
  }
  return tokens;
}

class Runner {
 public:
  Runner(engine::LoadedModel& model, kv::PagePool pool)
      : model_(model), pool_(std::move(pool)), logits_(static_cast<size_t>(model.vocab_size())) {}

  Status Fill(const ForwardCase& what) {
    const int64_t page_tokens = pool_.layout().page_tokens;
    const int64_t pages = (what.depth + what.tokens + page_tokens - 1) / page_tokens;
    for (int64_t i = 0; i < pages; ++i) {
      AC_ASSIGN_OR_RETURN(const kv::PageId page, pool_.Allocate());
      std::memset(pool_.data(page), kFill, pool_.layout().page_bytes());
      pages_.push_back(page);
    }
    tokens_ = SomeTokens(what.tokens, model_.vocab_size());
    position_ = what.depth;
    return OkStatus();
  }

  void Run() {
    const model::Chunk chunk{tokens_, position_, pages_, model::LogitRows::kLast};
    const Status status = model_.Forward({&chunk, 1}, pool_, logits_.data());
    if (!status.ok()) failure_ = status;
  }

  const Status& failure() const { return failure_; }

 private:
  engine::LoadedModel& model_;
  kv::PagePool pool_;
  std::vector<float> logits_;
  std::vector<kv::PageId> pages_;
  std::vector<model::TokenId> tokens_;
  int64_t position_ = 0;
  Status failure_;
};

// Bytes that have to be read for the case, however often caches let them be read again.
double BytesOf(const ForwardCase& what, const Workload& work, const kv::PageLayout& layout) {
  const double weights = what.tokens == 1 ? work.layer_bytes : work.all_layer_bytes;
  const auto positions = static_cast<double>(what.depth + what.tokens);
  return weights + work.head_bytes + positions * static_cast<double>(layout.token_bytes());
}

Result<ForwardResult> MeasureCase(engine::LoadedModel& model, const ForwardCase& what,
                                  const ForwardOptions& options, const Workload& work,
                                  const Peak& peak) {
  if (what.tokens < 1 || what.depth < 0 || what.depth + what.tokens > model.context_length()) {
    return InvalidArgument("[bench] " + std::to_string(what.tokens) + " tokens at depth " +
                           std::to_string(what.depth) + " do not fit the model's context of " +
                           std::to_string(model.context_length()));
  }
  const kv::PageLayout layout = model.model().Layout(options.kv_type);
  const int64_t pages = (what.depth + what.tokens) / layout.page_tokens + 1;
  AC_ASSIGN_OR_RETURN(kv::PagePool pool, kv::PagePool::Create(layout, pages));
  Runner runner(model, std::move(pool));
  AC_RETURN_IF_ERROR(runner.Fill(what));
  const int steps = options.kind == ForwardKind::kDecode ? kDecodeSteps : 1;
  const Spread seconds = TimeOf(options.repetitions, [&] {
    for (int i = 0; i < steps; ++i) runner.Run();
  });
  AC_RETURN_IF_ERROR(runner.failure());

  const double runs = steps;
  const double tokens = runs * static_cast<double>(what.tokens);
  ForwardResult result{.what = what};
  result.tokens_per_s = {tokens / seconds.median, tokens / seconds.max, tokens / seconds.min};
  result.gflop_per_s = runs * work.Flops(what.tokens, what.depth) / seconds.median / 1e9;
  result.gb_per_s = runs * BytesOf(what, work, layout) / seconds.median / 1e9;
  const double products = work.quantised ? peak.byte_gops : peak.float_gflops;
  result.percent_of_peak = options.kind == ForwardKind::kDecode
                               ? 100 * result.gb_per_s / peak.read_gb_per_s
                               : 100 * result.gflop_per_s / products;
  return result;
}

}  // namespace

Result<std::vector<ForwardResult>> MeasureForward(
    engine::LoadedModel& model, const std::vector<ForwardCase>& cases,
    const ForwardOptions& options, const Peak& peak,
    const std::function<void(const ForwardResult&)>& on_result) {
  const Workload work = WorkloadOf(model.file());
  std::vector<ForwardResult> results;
  for (const ForwardCase& what : cases) {
    AC_ASSIGN_OR_RETURN(const ForwardResult result, MeasureCase(model, what, options, work, peak));
    results.push_back(result);
    if (on_result) on_result(result);
  }
  return results;
}

json::Object ToJson(const ForwardResult& result) {
  return {{"tokens", result.what.tokens},
          {"depth", result.what.depth},
          {"tokens_per_s", result.tokens_per_s.median},
          {"percent_of_peak", result.percent_of_peak},
          {"gb_per_s", result.gb_per_s},
          {"gflop_per_s", result.gflop_per_s},
          {"tokens_per_s_min", result.tokens_per_s.min},
          {"tokens_per_s_max", result.tokens_per_s.max}};
}

}  // namespace ac::bench
