#include "backend/local_backend.h"

#include <random>
#include <utility>

#include "api/errors.h"
#include "backend/embed_call.h"
#include "backend/local_call.h"
#include "backend/prompt_places.h"
#include "obs/log.h"

namespace ac::backend {
namespace {

uint64_t RandomSeed() {
  static thread_local std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

engine::GenerateRequest SettingsFor(const chat::ChatRequest& request,
                                    const engine::SamplingParams& recommended) {
  engine::GenerateRequest settings;
  engine::SamplingParams& sampling = settings.sampling;
  sampling = recommended;
  const chat::Sampling& asked = request.sampling;
  if (asked.temperature) sampling.temperature = *asked.temperature;
  if (asked.top_p) sampling.top_p = *asked.top_p;
  if (asked.top_k) sampling.top_k = static_cast<int>(*asked.top_k);
  if (asked.min_p) sampling.min_p = *asked.min_p;
  if (asked.repetition_penalty) sampling.repetition_penalty = *asked.repetition_penalty;
  if (asked.presence_penalty) sampling.presence_penalty = *asked.presence_penalty;
  if (asked.frequency_penalty) sampling.frequency_penalty = *asked.frequency_penalty;
  for (const auto& [token, bias] : asked.logit_bias) {
    sampling.logit_bias.emplace_back(static_cast<engine::TokenId>(token), static_cast<float>(bias));
  }
  sampling.seed = asked.seed ? static_cast<uint64_t>(*asked.seed) : RandomSeed();
  settings.max_tokens = request.max_tokens.value_or(0);
  settings.stop_strings = request.stop;
  settings.top_logprobs = request.logprobs ? request.top_logprobs : -1;
  if (request.metadata.background) settings.priority = engine::Priority::kBackground;
  settings.client = request.metadata.session_id + "/" + request.metadata.agent_id;
  return settings;
}

}  // namespace

// Destroying it stops the work.
class LocalBackend::RunningCall : public Call {
 public:
  explicit RunningCall(std::shared_ptr<LocalCall> call) : call_(std::move(call)) {}
  ~RunningCall() override { call_->Detach(); }

 private:
  const std::shared_ptr<LocalCall> call_;
};

LocalBackend::LocalBackend(engine::Engine& engine, const tokenizer::Tokenizer& tokenizer,
                           std::unique_ptr<const prompt::PromptBuilder> prompts,
                           LocalOptions options)
    : engine_(engine),
      tokenizer_(tokenizer),
      prompts_(std::move(prompts)),
      options_(std::move(options)),
      family_(toolcall::DetectFamily(prompts_->source())),
      grammars_(tokenizer_, family_, std::string(prompts_->source())),
      early_starts_(options_.start_patience),
      preparation_(options_.preparation_threads) {
  preparation_.Post([this] { grammars_.Prepare(); });
  if (options_.metrics != nullptr) {
    const auto counter = [this](const char* outcome) {
      return options_.metrics->GetCounter("anyclaude_repeated_calls_total",
                                          "Tool calls that were the same for the third time.",
                                          {{"outcome", outcome}});
    };
    repetitions_ = {.resampled = counter("resampled"), .let_through = counter("let_through")};
  }
  if (options_.turn_log_folder.empty()) return;
  const Hash128 vocabulary = prompt::VocabularyHash(tokenizer_);
  const std::string path = JoinPath(options_.turn_log_folder, vocabulary.ToHex() + ".log");
  Result<std::unique_ptr<prompt::TurnLog>> log =
      prompt::TurnLog::Open(FileSystem::Real(), path, vocabulary, &turns_);
  MutexLock lock(log_mutex_);
  if (log.ok()) {
    turn_log_ = std::move(log).value();
  } else {
    obs::Warn("backend", "generated turns are not kept on disk: " + log.status().ToString());
  }
}

LocalBackend::~LocalBackend() = default;

std::unique_ptr<Call> LocalBackend::Start(chat::ChatRequest request,
                                          std::shared_ptr<chat::ChatSink> sink) {
  chat::IdSource& ids = options_.ids != nullptr ? *options_.ids : chat::IdSource::Random();
  auto call = std::make_shared<LocalCall>(engine_, tokenizer_, std::move(sink), ids);
  preparation_.Post([this, call, request = std::move(request)] { Prepare(request, *call); });
  return std::make_unique<RunningCall>(std::move(call));
}

// On a preparation thread: the request becomes token ids and goes to the engine.
void LocalBackend::Prepare(const chat::ChatRequest& request, LocalCall& call) {
  std::vector<std::vector<int32_t>> prompts;
  ReplyFormat format = ReplyFormat::Raw();
  std::vector<kv::Place> places;
  for (const chat::RawPrompt& raw : request.prompts) prompts.push_back(prompts_->Tokens(raw));
  if (request.prompts.empty()) {
    Result<prompt::Prompt> prompt = prompts_->Build(request, &turns_);
    if (!prompt.ok()) return call.Fail(prompt.status());
    format = ReplyFormat::ForChat(request, family_, prompt->ending);
    const auto count = static_cast<int64_t>(prompt->tokens.size());
    places = PlacesOf(prompt->parts, count);
    call.Describe(std::move(prompt->parts), count);
    format.repeated = chat::FindRepeatedCall(request.messages);
    call.CountRepetitions(&repetitions_);
    prompts.push_back(std::move(prompt->tokens));
    call.Diagnose(&diagnosis_, request.previous_message_id, DigestOf(request));
    call.ListenToTurns(prompt->opening,
                       [this](prompt::GeneratedTurn turn) { RememberTurn(std::move(turn)); });
  }
  for (const auto& prompt : prompts) {
    const auto count = static_cast<int64_t>(prompt.size());
    const Status fits = engine_.CheckPrompt(count);
    if (fits.code() == Code::kTooLarge) {
      return call.Fail(api::PromptTooLong(count, engine_.context_length() - 1));
    }
    if (!fits.ok()) {  // an agent that compacts can go on; its user reads what is missing
      return call.Fail(
          api::PromptTooLong(count, engine_.memory_tokens() - 1, api::ErrorText(fits)));
    }
  }
  engine::GenerateRequest settings = SettingsFor(request, options_.sampling);
  auto constraint = grammars_.For(request, format.tools, format.thinking_open);
  if (!constraint.ok()) return call.Fail(constraint.status());
  settings.constraint = std::move(constraint).value();
  settings.places = std::move(places);
  call.Submit(request, std::move(prompts), settings, std::move(format));
  early_starts_.Watch(call.shared_from_this());
}

// On the engine thread; the file is another thread's work.
void LocalBackend::RememberTurn(prompt::GeneratedTurn turn) {
  turns_.Remember(turn);
  if (options_.turn_log_folder.empty()) return;
  preparation_.Post([this, turn = std::move(turn)] {
    MutexLock lock(log_mutex_);
    if (turn_log_ == nullptr) return;
    const Status status = turn_log_->Append(turn);
    if (status.ok()) return;
    obs::Warn("backend", "generated turns are no longer kept on disk: " + status.ToString());
    turn_log_ = nullptr;
  });
}

void LocalBackend::CountTokens(chat::ChatRequest request,
                               std::function<void(Result<int64_t>)> done) {
  preparation_.Post([this, request = std::move(request), done = std::move(done)] {
    const Result<prompt::Prompt> prompt = prompts_->Build(request, &turns_);
    if (!prompt.ok()) return done(prompt.status());
    done(static_cast<int64_t>(prompt->tokens.size()));
  });
}

void LocalBackend::Tokenize(chat::ChatRequest request, TokensCallback done) {
  preparation_.Post([this, request = std::move(request), done = std::move(done)] {
    if (!request.prompts.empty()) return done(prompts_->Tokens(request.prompts.front()));
    Result<prompt::Prompt> prompt = prompts_->Build(request, &turns_);
    if (!prompt.ok()) return done(prompt.status());
    done(std::move(prompt->tokens));
  });
}

std::string LocalBackend::Detokenize(std::span<const int32_t> tokens) const {
  return tokenizer_.Decode(tokens);
}

void LocalBackend::Embed(std::vector<chat::RawPrompt> texts, EmbeddingsCallback done) {
  auto call = std::make_shared<EmbedCall>(engine_, std::move(done));
  preparation_.Post([this, call, texts = std::move(texts)] {
    std::vector<std::vector<int32_t>> prompts;
    for (const chat::RawPrompt& text : texts) prompts.push_back(prompts_->Tokens(text));
    call->Submit(std::move(prompts));
  });
}

std::vector<api::ModelInfo> LocalBackend::Models() const {
  return {{.id = options_.model_id,
           .display_name = options_.display_name,
           .context_window = engine_.context_length(),
           .max_output_tokens = engine_.context_length(),
           .created = 0}};
}

}  // namespace ac::backend
