#include "prompt/generated_turns.h"

#include <algorithm>

#include "base/hash.h"
#include "chat/chat.h"

namespace ac::prompt {
namespace {

std::string TextKey(std::string_view text) {
  return "text " + Hash128Of(text.data(), text.size()).ToHex();
}

std::vector<std::string> KeysOf(const GeneratedTurn& turn) {
  std::vector<std::string> keys;
  for (const std::string& id : turn.call_ids) keys.push_back("call " + id);
  for (const std::string& signature : turn.signatures) keys.push_back("sig " + signature);
  // With thinking in it a turn is known by its signature alone: another turn may say the same words
  // after other thoughts.
  if (keys.empty() && !turn.text.empty()) keys.push_back(TextKey(turn.text));
  return keys;
}

}  // namespace

void GeneratedTurns::Remember(GeneratedTurn turn) {
  std::vector<std::string> keys = KeysOf(turn);
  if (keys.empty()) return;
  MutexLock lock(mutex_);
  for (const std::string& key : keys) {
    if (const auto it = by_key_.find(key); it != by_key_.end()) Forget(it->second);
  }
  turn.number = ++last_number_;
  tokens_ += static_cast<int64_t>(turn.tokens.size());
  entries_.push_back({std::make_shared<const GeneratedTurn>(std::move(turn)), keys});
  for (std::string& key : keys) by_key_[std::move(key)] = std::prev(entries_.end());
  while (tokens_ > max_tokens_ && entries_.size() > 1) Forget(entries_.begin());
}

void GeneratedTurns::Forget(Position entry) {
  for (const std::string& key : entry->keys) by_key_.erase(key);
  tokens_ -= static_cast<int64_t>(entry->turn->tokens.size());
  entries_.erase(entry);
}

GeneratedTurns::TurnPtr GeneratedTurns::Use(const std::string& key) {
  const auto it = by_key_.find(key);
  if (it == by_key_.end()) return nullptr;
  entries_.splice(entries_.end(), entries_, it->second);
  return it->second->turn;
}

GeneratedTurns::TurnPtr GeneratedTurns::Find(const chat::Message& message) {
  if (message.role != chat::Role::kAssistant) return nullptr;
  std::vector<std::string> calls;
  std::string signature;
  for (const chat::Block& block : message.blocks) {
    if (const auto* use = block.As<chat::ToolUse>()) calls.push_back(use->id);
    const auto* thinking = block.As<chat::Thinking>();
    if (thinking != nullptr && signature.empty()) signature = thinking->signature;
  }
  const std::string text = chat::JoinText(message.blocks, "");
  MutexLock lock(mutex_);
  if (!calls.empty()) {
    TurnPtr turn = Use("call " + calls.front());
    return turn != nullptr && turn->call_ids == calls ? turn : nullptr;
  }
  TurnPtr turn = signature.empty() ? Use(TextKey(text)) : Use("sig " + signature);
  const bool same = turn != nullptr && turn->call_ids.empty() && turn->text == text;
  return same ? turn : nullptr;
}

std::vector<GeneratedTurns::TurnPtr> GeneratedTurns::All() const {
  MutexLock lock(mutex_);
  std::vector<TurnPtr> turns;
  for (const Entry& entry : entries_) turns.push_back(entry.turn);
  return turns;
}

}  // namespace ac::prompt
