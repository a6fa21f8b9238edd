// Token masks of one grammar, computed when first asked for and kept.
//
// A mask depends on where the threads stand, but not on counts far from their limits, so those are
// rounded first: a long string has one mask, not one per character. Rounded positions are states of
// a DFA that is built as it is walked over the vocabulary's trie; where a state swallows all kinds
// of bytes that a subtree holds, the subtree is allowed without a look. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "grammar/internal/simulator.h"
#include "grammar/program.h"
#include "grammar/vocabulary.h"

namespace ac::grammar::internal {

class MaskCache {
 public:
  MaskCache(const Program& program, const Vocabulary& vocabulary)
      : program_(program), vocabulary_(vocabulary), simulator_(program_, frames_) {}

  using Mask = std::shared_ptr<const std::vector<uint64_t>>;
  // What may follow `threads`, whose frames are in `frames`. Tokens longer than `*longest` bytes
  // must be taken out of it by the caller; kAnyLength: none.
  static constexpr size_t kAnyLength = SIZE_MAX;
  Mask Get(const ThreadSet& threads, const FrameStore& frames, size_t* longest);

  size_t states() const;

 private:
  using StateId = uint32_t;
  static constexpr StateId kDead = 0;
  static constexpr StateId kUnknown = UINT32_MAX;
  struct State {
    ThreadSet set;
    std::unique_ptr<std::array<StateId, 256>> next;
    uint64_t swallows = 0;  // Vocabulary kinds that lead back here
    bool swallows_known = false;
    Mask mask;
  };

  void ClearIfLarge() AC_REQUIRES(mutex_);
  FrameId Round(FrameId id, const FrameStore& from, size_t* longest) AC_REQUIRES(mutex_);
  StateId Intern(ThreadSet set) AC_REQUIRES(mutex_);
  StateId Next(StateId state, uint8_t byte) AC_REQUIRES(mutex_);
  uint64_t Swallows(StateId state) AC_REQUIRES(mutex_);
  bool SwallowsCharacters(StateId state) AC_REQUIRES(mutex_);
  Mask Compute(StateId state) AC_REQUIRES(mutex_);
  void AddSpecial(const ThreadSet& set, std::vector<uint64_t>* mask) const;

  const Program& program_;
  const Vocabulary& vocabulary_;
  mutable Mutex mutex_;
  FrameStore frames_ AC_GUARDED_BY(mutex_);
  Simulator simulator_ AC_GUARDED_BY(mutex_);
  std::vector<State> states_ AC_GUARDED_BY(mutex_);
  std::unordered_multimap<uint64_t, StateId> by_hash_ AC_GUARDED_BY(mutex_);
  std::unordered_map<FrameId, FrameId> rounded_ AC_GUARDED_BY(mutex_);  // of one Get
  size_t mask_bytes_ AC_GUARDED_BY(mutex_) = 0;
};

}  // namespace ac::grammar::internal
