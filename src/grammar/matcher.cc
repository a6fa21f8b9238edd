#include "grammar/matcher.h"

#include <algorithm>
#include <cassert>

namespace ac::grammar {

using internal::Thread;
using internal::ThreadSet;

Matcher::Matcher(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)),
      simulator_(grammar_->program(), frames_),
      now_(simulator_.Start()) {}

Matcher::Matcher(const Matcher& other)
    : grammar_(other.grammar_),
      frames_(other.frames_),
      simulator_(grammar_->program(), frames_),
      now_(other.now_),
      ended_(other.ended_),
      past_(other.past_) {}

std::span<const uint64_t> Matcher::Mask() {
  const Vocabulary& vocabulary = grammar_->vocabulary();
  if (ended_) {
    shortened_.assign(vocabulary.mask_words(), 0);
    for (const int32_t id : vocabulary.ends()) {
      shortened_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
    }
    return shortened_;
  }
  size_t longest = 0;
  mask_ = grammar_->masks().Get(now_, frames_, &longest);
  if (longest == internal::MaskCache::kAnyLength) return *mask_;
  const std::vector<uint64_t>& short_tokens = vocabulary.ShorterThanOrEqual(longest);
  shortened_.resize(mask_->size());
  for (size_t i = 0; i < shortened_.size(); ++i) shortened_[i] = (*mask_)[i] & short_tokens[i];
  // Special tokens have no length.
  for (const int32_t id : vocabulary.special()) {
    const size_t word = static_cast<size_t>(id) / 64;
    shortened_[word] |= (*mask_)[word] & uint64_t{1} << (id % 64);
  }
  return shortened_;
}

bool Matcher::AcceptToken(int32_t id) {
  if (ended_) return false;
  const Vocabulary& vocabulary = grammar_->vocabulary();
  if (vocabulary.IsText(id)) return AcceptBytes(vocabulary.bytes(id));
  const bool ends = vocabulary.EndsReply(id);
  if (!ends || grammar_->program().names_token(id)) {
    ThreadSet next;
    simulator_.StepToken(now_, id, &next);
    if (!next.dead()) {
      Remember(std::move(next), false);
      return true;
    }
  }
  if (!now_.accepting || !ends) return false;
  Remember(now_, true);
  return true;
}

bool Matcher::AcceptBytes(std::string_view bytes) {
  if (ended_) return false;
  ThreadSet at = now_;
  ThreadSet next;
  for (const char c : bytes) {
    simulator_.StepByte(at, static_cast<uint8_t>(c), &next);
    if (next.dead()) return false;
    std::swap(at, next);
  }
  Remember(std::move(at), false);
  return true;
}

void Matcher::Remember(ThreadSet next, bool ended) {
  past_.push_back({std::move(now_), ended_});
  if (past_.size() > kMaxRollback) past_.pop_front();
  now_ = std::move(next);
  ended_ = ended;
}

void Matcher::Rollback(int steps) {
  assert(steps >= 0 && static_cast<size_t>(steps) <= past_.size());
  for (; steps > 0 && !past_.empty(); --steps) {
    now_ = std::move(past_.back().set);
    ended_ = past_.back().ended;
    past_.pop_back();
  }
}

std::string Matcher::ForcedBytes(size_t limit) {
  std::string forced;
  const Program& program = grammar_->program();
  ThreadSet at = now_;
  ThreadSet next;
  while (!ended_ && forced.size() < limit && !at.accepting && !at.threads.empty()) {
    ByteSet possible;
    for (const Thread& thread : at.threads) {
      const Op& op = program.op(thread.pc);
      if (op.kind != OpKind::kBytes) return forced;
      possible |= program.bytes(op);
    }
    if (possible.count() != 1) return forced;
    const auto byte = static_cast<uint8_t>(possible._Find_first());
    simulator_.StepByte(at, byte, &next);
    if (next.dead()) return forced;
    forced += static_cast<char>(byte);
    std::swap(at, next);
  }
  return forced;
}

int32_t Matcher::ForcedToken() const {
  if (ended_ || now_.accepting || now_.threads.empty()) return tokenizer::kNoToken;
  const Program& program = grammar_->program();
  const Op& first = program.op(now_.threads[0].pc);
  for (const Thread& thread : now_.threads) {
    const Op& op = program.op(thread.pc);
    if (op.kind != OpKind::kToken || op.a != first.a) return tokenizer::kNoToken;
  }
  return static_cast<int32_t>(first.a);
}

}  // namespace ac::grammar
