// What a reply may consist of, token by token: the seam between the engine and grammars.
//
// A GenerateRequest carries a constraint in its first state; the engine forks it for the sequence
// and from then on only its own thread touches the fork. The order of use, for each position:
// Allowed(), then Accept() of the token that was really appended. Speculation accepts drafted
// tokens ahead and takes the refused ones back with Rollback().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/sampler.h"

namespace ac::engine {

class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  // A constraint in the same state that goes its own way. The only method that may be called from
  // another thread, and only while no other method runs.
  virtual std::unique_ptr<TokenConstraint> Fork() const = 0;

  // Bit i of word i / 64 set: token i may come next; tokens behind the last word may not. End
  // tokens are among them where the reply may end. Empty: every token may. Valid until the next
  // call of a method.
  virtual std::span<const uint64_t> Allowed() = 0;

  // Advances by one token. False when it is not allowed here; the state is then unchanged.
  virtual bool Accept(TokenId token) = 0;

  // Takes back the last `count` accepted tokens; any count up to kMaxRollback.
  virtual void Rollback(int count) = 0;
  static constexpr int kMaxRollback = 128;

  // Tokens that must come next, whatever the model thinks, in the way the tokenizer itself would
  // cut this text: they may be appended (each through Accept) without asking the model. Often
  // none. Does not advance.
  virtual std::vector<TokenId> Forced() = 0;
};

}  // namespace ac::engine
