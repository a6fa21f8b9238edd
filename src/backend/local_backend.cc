#include "backend/local_backend.h"

#include <algorithm>
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

// Destroying it stops the work.
template <typename Work>
class Handle : public Call {
 public:
  explicit Handle(std::shared_ptr<Work> work) : work_(std::move(work)) {}
  ~Handle() override { work_->Detach(); }

 private:
  const std::shared_ptr<Work> work_;
};

}  // namespace

LocalBackend::LocalBackend(engine::Engine& engine, const tokenizer::Tokenizer& tokenizer,
                           std::unique_ptr<const prompt::PromptBuilder> prompts,
                           LocalOptions options)
    : engine_(engine),
      tokenizer_(tokenizer),
      prompts_(std::move(prompts)),
      options_(std::move(options)),
      family_(toolcall::DetectFamily(prompts_->source())),
      grammars_(tokenizer_, family_, std::string(prompts_->source())),
      background_(1),
      preparation_(options_.preparation_threads) {
  background_.Post([this] { grammars_.Prepare(); });
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
  const Nanos arrived = Clock::Real().Now();
  preparation_.Post([this, call, request = std::move(request), arrived]() mutable {
    Prepare(std::move(request), *call, arrived);
  });
  return std::make_unique<Handle<LocalCall>>(std::move(call));
}

// A request on its way to the engine.
struct LocalBackend::Prepared {
  chat::ChatRequest request;
  std::vector<std::vector<int32_t>> prompts{};
  ReplyFormat format = ReplyFormat::Raw();
  std::vector<kv::Place> places{};
};

// The request becomes token ids. What fails here is answered before a message has begun.
Status LocalBackend::ReadPrompt(Prepared* prepared, LocalCall& call) {
  const chat::ChatRequest& request = prepared->request;
  for (const chat::RawPrompt& raw : request.prompts) {
    prepared->prompts.push_back(prompts_->Tokens(raw));
  }
  if (request.prompts.empty()) {
    AC_ASSIGN_OR_RETURN(prompt::Prompt prompt, prompts_->Build(request, &turns_));
    prepared->format = ReplyFormat::ForChat(request, family_, prompt.ending);
    const auto count = static_cast<int64_t>(prompt.tokens.size());
    prepared->places = PlacesOf(prompt.parts, count);
    call.Describe(std::move(prompt.parts), count);
    prepared->format.repeated = chat::FindRepeatedCall(request.messages);
    call.CountRepetitions(&repetitions_);
    prepared->prompts.push_back(std::move(prompt.tokens));
    call.Diagnose(&diagnosis_, request.previous_message_id, DigestOf(request));
    call.ListenToTurns(prompt.opening,
                       [this](prompt::GeneratedTurn turn) { RememberTurn(std::move(turn)); });
  }
  for (const auto& prompt : prepared->prompts) {
    const auto count = static_cast<int64_t>(prompt.size());
    const Status fits = engine_.CheckPrompt(count);
    if (fits.code() == Code::kTooLarge) {
      return api::PromptTooLong(count, engine_.context_length() - 1);
    }
    if (!fits.ok()) {  // an agent that compacts can go on; its user reads what is missing
      return api::PromptTooLong(count, engine_.memory_tokens() - 1, api::ErrorText(fits));
    }
  }
  if (prepared->prompts.empty()) return OkStatus();
  call.Introduce(request.model, static_cast<int64_t>(prepared->prompts.front().size()));
  return ReplyGrammars::Check(request, prepared->format.tools);
}

// On a preparation thread. Once nothing of the client's can be wrong any more, its message begins;
// a grammar that must be compiled is not waited for. A response format is the client's too, so it
// is compiled first.
void LocalBackend::Prepare(chat::ChatRequest request, LocalCall& call, Nanos arrived) {
  if (call.over()) return;
  auto prepared = std::make_shared<Prepared>(Prepared{.request = std::move(request)});
  const Status read = ReadPrompt(prepared.get(), call);
  if (!read.ok()) return call.Fail(read);
  const ReplyFormat& format = prepared->format;
  auto known = grammars_.Known(prepared->request, format.tools, format.thinking_open);
  if (known) {
    Submit(*prepared, *std::move(known), call);
  } else if (prepared->request.response_format.kind != chat::ResponseFormat::Kind::kText) {
    CompileAndSubmit(*prepared, call);
  } else {
    const Status accepted = CheckSubmission(*prepared);
    if (!accepted.ok()) return call.Fail(accepted);
    call.BeginEarly();
    background_.Post([this, prepared, shared = call.shared_from_this()] {
      if (!shared->over()) CompileAndSubmit(*prepared, *shared);
    });
    return;
  }
  // An idle engine answers within this, and knows what its cache holds.
  constexpr Nanos kAnswer = std::chrono::milliseconds(2);
  early_starts_.Watch(call.shared_from_this(),
                      std::max(arrived + options_.start_patience, Clock::Real().Now() + kAnswer));
}

Status LocalBackend::CheckSubmission(const Prepared& prepared) const {
  const engine::GenerateRequest settings = SettingsFor(prepared.request, options_.sampling);
  for (const std::vector<int32_t>& prompt : prepared.prompts) {
    AC_RETURN_IF_ERROR(engine_.CheckRequest(settings, prompt));
  }
  return OkStatus();
}

void LocalBackend::CompileAndSubmit(Prepared& prepared, LocalCall& call) {
  auto constraint =
      grammars_.For(prepared.request, prepared.format.tools, prepared.format.thinking_open);
  if (!constraint.ok()) return call.Fail(constraint.status());
  Submit(prepared, std::move(constraint).value(), call);
}

void LocalBackend::Submit(Prepared& prepared,
                          std::shared_ptr<const engine::TokenConstraint> constraint,
                          LocalCall& call) {
  engine::GenerateRequest settings = SettingsFor(prepared.request, options_.sampling);
  settings.constraint = std::move(constraint);
  settings.places = std::move(prepared.places);
  call.Submit(prepared.request, std::move(prepared.prompts), settings, std::move(prepared.format));
}

// On the engine thread; the file is another thread's work.
void LocalBackend::RememberTurn(prompt::GeneratedTurn turn) {
  turns_.Remember(turn);
  if (options_.turn_log_folder.empty()) return;
  background_.Post([this, turn = std::move(turn)] {
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

std::unique_ptr<Call> LocalBackend::Embed(std::vector<chat::RawPrompt> texts,
                                          EmbeddingsCallback done) {
  auto call = std::make_shared<EmbedCall>(engine_, std::move(done));
  preparation_.Post([this, call, texts = std::move(texts)] {
    std::vector<std::vector<int32_t>> prompts;
    for (const chat::RawPrompt& text : texts) {
      if (call->over()) return;
      prompts.push_back(prompts_->Tokens(text));
    }
    call->Submit(std::move(prompts));
  });
  return std::make_unique<Handle<EmbedCall>>(std::move(call));
}

std::vector<api::ModelInfo> LocalBackend::Models() const {
  return {{.id = options_.model_id,
           .display_name = options_.display_name,
           .context_window = engine_.context_length(),
           .max_output_tokens = engine_.context_length(),
           .created = 0}};
}

}  // namespace ac::backend
