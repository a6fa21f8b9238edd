// A compiled grammar with the vocabulary it is used with, and one reply's position in it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/internal/mask_cache.h"
#include "grammar/internal/simulator.h"
#include "grammar/program.h"
#include "grammar/vocabulary.h"

namespace ac::grammar {

// Thread-safe; its masks are shared by all replies that use it.
class Grammar {
 public:
  Grammar(Program program, std::shared_ptr<const Vocabulary> vocabulary)
      : program_(std::move(program)),
        vocabulary_(std::move(vocabulary)),
        masks_(program_, *vocabulary_) {}
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  const Program& program() const { return program_; }
  const Vocabulary& vocabulary() const { return *vocabulary_; }
  internal::MaskCache& masks() const { return masks_; }

 private:
  const Program program_;
  const std::shared_ptr<const Vocabulary> vocabulary_;
  mutable internal::MaskCache masks_;
};

// One reply. Owned by one thread at a time.
class Matcher {
 public:
  explicit Matcher(std::shared_ptr<const Grammar> grammar);
  // In the same state, on its own from now on.
  Matcher(const Matcher& other);
  Matcher& operator=(const Matcher&) = delete;

  // Bit i: token i may come next. Valid until the next call.
  std::span<const uint64_t> Mask();
  // False, and nothing changes, when the token does not fit.
  bool AcceptToken(int32_t id);
  // All of it or nothing; one step for Rollback.
  bool AcceptBytes(std::string_view bytes);
  // Takes back the last `steps` accepted tokens; as many as kMaxRollback.
  void Rollback(int steps);
  static constexpr int kMaxRollback = 160;

  // May the reply end here?
  bool MayEnd() const { return !ended_ && now_.accepting; }
  bool ended() const { return ended_; }
  // The bytes that must follow, as far as there is no choice; at most `limit`.
  std::string ForcedBytes(size_t limit);
  // The only special token that may follow, or kNoToken.
  int32_t ForcedToken() const;

 private:
  struct Past {
    internal::ThreadSet set;
    bool ended;
  };
  void Remember(internal::ThreadSet next, bool ended);

  const std::shared_ptr<const Grammar> grammar_;
  internal::FrameStore frames_;
  internal::Simulator simulator_;
  internal::ThreadSet now_;
  bool ended_ = false;
  std::deque<Past> past_;
  internal::MaskCache::Mask mask_;
  std::vector<uint64_t> shortened_;
};

}  // namespace ac::grammar
