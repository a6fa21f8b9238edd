#include "backend/embed_call.h"

#include <cmath>
#include <utility>

#include "api/errors.h"

namespace ac::backend {
namespace {

constexpr int kAtOnce = 8;  // of one request: the queue is for everybody

void Normalise(std::vector<float>* vector) {
  double sum = 0;
  for (const float value : *vector) sum += static_cast<double>(value) * static_cast<double>(value);
  if (sum <= 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& value : *vector) value = static_cast<float>(static_cast<double>(value) * scale);
}

}  // namespace

class EmbedCall::TextSink : public engine::TokenSink {
 public:
  TextSink(std::shared_ptr<EmbedCall> call, size_t text) : call_(std::move(call)), text_(text) {}
  void OnStart(const engine::CacheReport&) override {}
  void OnProgress(int64_t, int64_t) override {}
  void OnToken(const engine::TokenEvent&) override {}
  void OnFinish(const engine::FinishInfo& info) override { call_->OnFinish(text_, info); }

 private:
  const std::shared_ptr<EmbedCall> call_;
  const size_t text_;
};

void EmbedCall::Submit(std::vector<std::vector<int32_t>> texts) {
  {
    MutexLock lock(mutex_);
    missing_ = texts.size();
    result_.vectors.resize(texts.size());
    texts_ = std::move(texts);
  }
  for (int i = 0; i < kAtOnce; ++i) SubmitNext();
}

void EmbedCall::SubmitNext() {
  engine::GenerateRequest request;
  request.embed = true;
  size_t text = 0;
  {
    MutexLock lock(mutex_);
    if (done_ == nullptr || submitted_ == texts_.size()) return;
    text = submitted_++;
    request.prompt = std::move(texts_[text]);
  }
  const auto tokens = static_cast<int64_t>(request.prompt.size());
  if (tokens >= engine_.context_length()) {
    return Fail(api::PromptTooLong(tokens, engine_.context_length() - 1));
  }
  const Result<engine::RequestId> id =
      engine_.Submit(std::move(request), std::make_shared<TextSink>(shared_from_this(), text));
  if (!id.ok()) return Fail(id.status());
  {
    MutexLock lock(mutex_);
    if (done_ != nullptr) return requests_.push_back(*id);
  }
  engine_.Cancel(*id);  // it was closed meanwhile
}

void EmbedCall::OnFinish(size_t text, const engine::FinishInfo& info) {
  if (info.embedding.empty()) return Fail(info.status);
  TextTools::EmbeddingsCallback done;
  TextTools::Embeddings result;
  {
    MutexLock lock(mutex_);
    if (done_ == nullptr) return;
    result_.vectors[text] = info.embedding;
    Normalise(&result_.vectors[text]);
    result_.prompt_tokens += info.prompt_tokens;
    if (--missing_ == 0) {
      done = std::exchange(done_, nullptr);
      result = std::move(result_);
      requests_.clear();
    }
  }
  if (done == nullptr) return SubmitNext();
  done(std::move(result));
}

TextTools::EmbeddingsCallback EmbedCall::Close() {
  TextTools::EmbeddingsCallback done;
  std::vector<engine::RequestId> requests;
  {
    MutexLock lock(mutex_);
    done = std::exchange(done_, nullptr);
    requests.swap(requests_);
  }
  for (const engine::RequestId id : requests) engine_.Cancel(id);
  return done;
}

void EmbedCall::Fail(const Status& status) {
  if (const TextTools::EmbeddingsCallback done = Close()) done(status);
}

void EmbedCall::Detach() { Close(); }

bool EmbedCall::over() {
  MutexLock lock(mutex_);
  return done_ == nullptr;
}

}  // namespace ac::backend
