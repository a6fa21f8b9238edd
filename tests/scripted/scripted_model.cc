#include "scripted/scripted_model.h"

#include <algorithm>
#include <thread>

#include "json/json.h"
#include "support/chatml_tokenizer.h"

namespace ac::testing {
namespace {

float* Slot(kv::PagePool& pages, const model::Chunk& chunk, int64_t position) {
  const int64_t page_tokens = pages.layout().page_tokens;
  std::byte* page = pages.data(chunk.pages[static_cast<size_t>(position / page_tokens)]);
  return reinterpret_cast<float*>(page) + position % page_tokens;
}

int64_t Count(std::string_view text, std::string_view word) {
  int64_t count = 0;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    ++count;
  }
  return count;
}

std::string Text(const json::Value& object, std::string_view key) {
  return std::string(json::GetString(object, key).value_or(""));
}

}  // namespace

Result<Script> ParseScript(std::string_view text) {
  AC_ASSIGN_OR_RETURN(const json::Value root, json::Parse(text));
  Script script;
  script.context_length = json::GetInt(root, "context").value_or(script.context_length);
  script.seconds_per_token = json::GetDouble(root, "seconds_per_token").value_or(0);
  script.seconds_per_prompt = json::GetDouble(root, "seconds_per_1000_prompt").value_or(0);
  if (json::Find(root, "otherwise") != nullptr) script.otherwise = Text(root, "otherwise");
  const json::Array* rules = json::AsArray(json::Find(root, "rules"));
  if (rules == nullptr) return InvalidArgument("[script] rules: an array is required");
  for (const json::Value& rule : *rules) {
    script.rules.push_back({.anywhere = Text(rule, "anywhere"),
                            .last = Text(rule, "last"),
                            .turns = json::GetInt(rule, "turns").value_or(-1),
                            .reply = Text(rule, "reply")});
  }
  return script;
}

kv::PageLayout ScriptedModel::Layout() {
  return {
      .n_layers = 1, .n_kv_heads = 1, .head_dim = 1, .page_tokens = 16, .type = kv::KvType::kF32};
}

std::vector<int32_t> ScriptedModel::Reply(std::string_view prompt) const {
  const std::string_view assistant = "<|im_start|>assistant";
  const size_t last_turn = prompt.rfind(assistant);
  const size_t turn_end =
      last_turn == std::string_view::npos ? 0 : prompt.find("<|im_end|>", last_turn);
  const std::string_view last = prompt.substr(std::min(turn_end, prompt.size()));
  const int64_t turns = Count(prompt, assistant);
  std::string_view reply = script_.otherwise;
  for (const ScriptRule& rule : script_.rules) {
    if (rule.turns >= 0 && rule.turns != turns) continue;
    if (prompt.find(rule.anywhere) == std::string_view::npos) continue;
    if (last.find(rule.last) == std::string_view::npos) continue;
    reply = rule.reply;
    break;
  }
  std::vector<int32_t> tokens = tokenizer_.Encode(reply);
  tokens.push_back(kEndOfTurn);
  return tokens;
}

// The token behind a prompt and the part of its reply that is there already.
int32_t ScriptedModel::Next(const std::vector<int32_t>& seen) {
  const auto start = std::find(seen.rbegin(), seen.rend(), kStartOfTurn);
  if (start == seen.rend()) return kEndOfTurn;
  const auto prompt_size = static_cast<size_t>(seen.rend() - start) - 1;
  // The opening is a control token and one token per byte behind it.
  const size_t opening_tokens = tokenizer_.Encode(opening_, {.parse_special = true}).size();
  const Hash128 hash = Hash128Of(seen.data(), prompt_size * sizeof(int32_t));
  const auto [it, added] = replies_.try_emplace({hash.high, hash.low});
  if (added) it->second = Reply(tokenizer_.Decode(std::span(seen).first(prompt_size)));
  const size_t done = seen.size() - std::min(seen.size(), prompt_size + opening_tokens);
  return done < it->second.size() ? it->second[done] : kEndOfTurn;
}

Status ScriptedModel::Forward(std::span<const model::Chunk> batch, kv::PagePool& pages,
                              float* logits) {
  double seconds = 0;
  for (const model::Chunk& chunk : batch) {
    const auto count = static_cast<int64_t>(chunk.tokens.size());
    for (int64_t i = 0; i < count; ++i) {
      *Slot(pages, chunk, chunk.position + i) =
          static_cast<float>(chunk.tokens[static_cast<size_t>(i)]);
    }
    seconds += count == 1 ? script_.seconds_per_token
                          : script_.seconds_per_prompt * static_cast<double>(count) / 1000;
    const int64_t rows = chunk.logits == model::LogitRows::kNone   ? 0
                         : chunk.logits == model::LogitRows::kLast ? 1
                                                                   : count;
    if (rows == 0) continue;
    std::vector<int32_t> seen;
    for (int64_t p = 0; p < chunk.position + count - rows; ++p) {
      seen.push_back(static_cast<int32_t>(*Slot(pages, chunk, p)));
    }
    for (int64_t row = 0; row < rows; ++row) {
      seen.push_back(
          static_cast<int32_t>(*Slot(pages, chunk, chunk.position + count - rows + row)));
      std::fill_n(logits, vocab_size(), -30.0f);
      logits[Next(seen)] = 30.0f;
      logits += vocab_size();
    }
  }
  if (seconds > 0) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  return OkStatus();
}

}  // namespace ac::testing
