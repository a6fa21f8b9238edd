// A compiled grammar as a program over bytes: a pushdown automaton whose calls, counters and sets
// of object keys live in frames (frames.h).
//
// Built once by ProgramBuilder, from the end to the beginning: every method takes where to go
// afterwards and returns where to start. Immutable and thread-safe after Build().
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ac::grammar {

using Pc = uint32_t;
using ByteSet = std::bitset<256>;
inline constexpr Pc kNoPc = UINT32_MAX;
inline constexpr uint64_t kUnlimited = UINT64_MAX;

enum class OpKind : uint8_t {
  kBytes,         // a byte of set `a`, then `b`
  kToken,         // the special token `a`, then `b`
  kAnyToken,      // any special token that no kToken names and that does not end a reply, then `b`
  kSplit,         // any of the targets of list `a`
  kCall,          // rule `a`, then `b`
  kReturn,        // to the caller
  kLoop,          // loop `a` begins: its body min to max times, then `b`
  kLoopNext,      // the body of the innermost loop is over
  kObject,        // object `a` begins
  kObjectKey,     // a key of the innermost object that may still come
  kMoreKeys,      // `b`, if kObjectKey would find one
  kKeyDone,       // key `a` of the innermost object is there, then `b`
  kObjectMayEnd,  // `b`, if every required key is there
  kObjectEnd,     // the innermost object is over, then `b`
  kText,          // counted text `a` begins, then `b`
  kCount,         // `a` characters of the innermost counted text, then `b`
  kTextEnd,       // `b`, if the text is long enough
  kAccept,        // the whole may end here
  kFail,
};

struct Op {
  OpKind kind = OpKind::kFail;
  uint32_t a = 0;
  Pc b = kNoPc;
};

struct LoopSpec {
  uint64_t min = 0;
  uint64_t max = kUnlimited;
  Pc body = kNoPc;
  // Each pass consumes one character: masks near the limits may be too small.
  bool of_characters = false;
  uint64_t held_back = 0;  // of texts: so many characters may be counted late, all at once
};

struct ObjectSpec {
  struct Key {
    Pc entry = kNoPc;  // kNoPc: cannot be produced, never offered
    bool required = false;
  };
  std::vector<Key> keys;
  Pc extra = kNoPc;  // keys without a name here
  Pc first = kNoPc;  // what follows kObject
  // Up to 64 keys: any order. More: in the order of `keys`.
  bool ordered() const { return keys.size() > 64; }
  uint64_t required_mask() const;
};

class Program {
 public:
  const Op& op(Pc pc) const { return ops_[pc]; }
  size_t size() const { return ops_.size(); }
  Pc start() const { return start_; }
  const ByteSet& bytes(const Op& op) const { return sets_[op.a]; }
  const std::vector<Pc>& targets(const Op& op) const { return splits_[op.a]; }
  Pc rule(const Op& op) const { return rules_[op.a]; }
  const LoopSpec& loop(const Op& op) const { return loops_[op.a]; }
  const ObjectSpec& object(const Op& op) const { return objects_[op.a]; }
  bool productive(Pc pc) const { return productive_[pc]; }
  bool names_token(int32_t id) const { return named_tokens_.count(id) > 0; }

 private:
  friend class ProgramBuilder;
  bool CanFinish(const Op& op) const;

  std::vector<Op> ops_;
  std::vector<ByteSet> sets_;
  std::vector<std::vector<Pc>> splits_;
  std::vector<Pc> rules_;
  std::vector<LoopSpec> loops_;
  std::vector<ObjectSpec> objects_;
  std::vector<bool> productive_;  // can reach an end; the others are never entered
  std::map<int32_t, bool> named_tokens_;
  Pc start_ = kNoPc;
};

class ProgramBuilder;
using RuleId = uint32_t;
// A part of a grammar: emits itself in front of `next`.
using Piece = std::function<Pc(ProgramBuilder& builder, Pc next)>;

class ProgramBuilder {
 public:
  Pc Bytes(const ByteSet& set, Pc next);
  Pc Literal(std::string_view text, Pc next);
  Pc Token(int32_t id, Pc next);
  Pc AnyToken(Pc next);
  Pc Split(std::vector<Pc> targets);
  Pc Call(RuleId rule, Pc next);
  Pc Fail();
  // `max` 0 is nothing at all.
  Pc Repeat(uint64_t min, uint64_t max, const Piece& body, Pc next, bool of_characters = false);

  // A split whose targets are not known yet, for cycles.
  Pc Forward();
  void Resolve(Pc forward, std::vector<Pc> targets);

  // A rule may be called before it is defined.
  RuleId DeclareRule();
  void DefineRule(RuleId rule, const Piece& body);
  // One rule per name: defined by `body` at the first call.
  RuleId SharedRule(const std::string& name, const Piece& body);

  uint32_t AddObject();
  ObjectSpec& object(uint32_t id) { return program_.objects_[id]; }
  // Emits kText, `body` (which gets the pc of its kTextEnd), then `next`.
  Pc CountedText(const LoopSpec& bounds, const Piece& body, Pc next);
  Pc Emit(OpKind kind, uint32_t a, Pc b);

  // Can the rule be finished at all? Looks at the program as it is now.
  bool IsProductive(RuleId rule);
  // kInvalidArgument when a rule calls itself before it consumes anything.
  Status CheckLeftRecursion() const;
  // kInvalidArgument when nothing can match.
  Result<Program> Build(const Piece& root);

 private:
  void FindProductive();

  Program program_;
  std::map<std::string, RuleId> shared_;
};

}  // namespace ac::grammar
