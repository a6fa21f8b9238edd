#include "backend/grammar_constraint.h"

#include <algorithm>

namespace ac::backend {
namespace {

// Shorter forced text saves less than finding it costs.
constexpr size_t kMinForcedBytes = 4;
constexpr size_t kMaxForcedBytes = 256;
// Tokens before the forced text that could melt with it.
constexpr size_t kContextTokens = 6;
constexpr size_t kRemembered = engine::TokenConstraint::kMaxRollback + kContextTokens;

}  // namespace

bool GrammarConstraint::Accept(engine::TokenId token) {
  if (!matcher_.AcceptToken(token)) return false;
  recent_.push_back(token);
  if (recent_.size() > kRemembered) recent_.pop_front();
  return true;
}

void GrammarConstraint::Rollback(int count) {
  matcher_.Rollback(count);
  for (; count > 0 && !recent_.empty(); --count) recent_.pop_back();
}

// Text is forced only as the tokenizer would cut it: the text so far and the forced text, encoded
// together, must begin with the very tokens that are there. The last new token may still melt with
// what follows, so it is left to the model.
std::vector<engine::TokenId> GrammarConstraint::Forced() {
  const engine::TokenId only = matcher_.ForcedToken();
  if (only != tokenizer::kNoToken) return {only};
  const grammar::Vocabulary& vocabulary = grammar_->vocabulary();
  const tokenizer::Tokenizer& tokenizer = vocabulary.tokenizer();
  if (tokenizer.has_space_prefix()) return {};
  const std::string forced = matcher_.ForcedBytes(kMaxForcedBytes);
  if (forced.size() < kMinForcedBytes) return {};
  size_t context = 0;
  while (context < std::min(kContextTokens, recent_.size()) &&
         vocabulary.IsText(recent_[recent_.size() - 1 - context])) {
    ++context;
  }
  const auto begin = recent_.end() - static_cast<std::ptrdiff_t>(context);
  std::string text;
  for (auto it = begin; it != recent_.end(); ++it) text += vocabulary.bytes(*it);
  std::vector<engine::TokenId> tokens = tokenizer.Encode(text + forced);
  if (tokens.size() <= context + 1 || !std::equal(begin, recent_.end(), tokens.begin())) return {};
  tokens.pop_back();
  tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(context));
  return tokens;
}

}  // namespace ac::backend
