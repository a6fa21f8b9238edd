#include "grammar/program.h"

#include <algorithm>

namespace ac::grammar {

uint64_t ObjectSpec::required_mask() const {
  uint64_t mask = 0;
  for (size_t i = 0; i < keys.size() && i < 64; ++i) {
    if (keys[i].required) mask |= uint64_t{1} << i;
  }
  return mask;
}

Pc ProgramBuilder::Emit(OpKind kind, uint32_t a, Pc b) {
  program_.ops_.push_back({kind, a, b});
  return static_cast<Pc>(program_.ops_.size() - 1);
}

Pc ProgramBuilder::Bytes(const ByteSet& set, Pc next) {
  // Neighbours often ask for the same set again; a full search would be quadratic.
  auto& sets = program_.sets_;
  const size_t window = std::min<size_t>(sets.size(), 64);
  const auto found = std::find(sets.end() - static_cast<std::ptrdiff_t>(window), sets.end(), set);
  if (found != sets.end()) {
    return Emit(OpKind::kBytes, static_cast<uint32_t>(found - sets.begin()), next);
  }
  sets.push_back(set);
  return Emit(OpKind::kBytes, static_cast<uint32_t>(sets.size() - 1), next);
}

Pc ProgramBuilder::Literal(std::string_view text, Pc next) {
  for (size_t i = text.size(); i > 0; --i) {
    ByteSet set;
    set.set(static_cast<uint8_t>(text[i - 1]));
    next = Bytes(set, next);
  }
  return next;
}

Pc ProgramBuilder::Token(int32_t id, Pc next) {
  program_.named_tokens_[id] = true;
  return Emit(OpKind::kToken, static_cast<uint32_t>(id), next);
}

Pc ProgramBuilder::AnyToken(Pc next) { return Emit(OpKind::kAnyToken, 0, next); }

Pc ProgramBuilder::Split(std::vector<Pc> targets) {
  if (targets.size() == 1) return targets[0];
  program_.splits_.push_back(std::move(targets));
  return Emit(OpKind::kSplit, static_cast<uint32_t>(program_.splits_.size() - 1), kNoPc);
}

Pc ProgramBuilder::Forward() {
  program_.splits_.emplace_back();
  return Emit(OpKind::kSplit, static_cast<uint32_t>(program_.splits_.size() - 1), kNoPc);
}

void ProgramBuilder::Resolve(Pc forward, std::vector<Pc> targets) {
  program_.splits_[program_.ops_[forward].a] = std::move(targets);
}

Pc ProgramBuilder::Call(RuleId rule, Pc next) { return Emit(OpKind::kCall, rule, next); }
Pc ProgramBuilder::Fail() { return Emit(OpKind::kFail, 0, kNoPc); }

Pc ProgramBuilder::Repeat(uint64_t min, uint64_t max, const Piece& body, Pc next,
                          bool of_characters) {
  if (max == 0) return next;
  if (min == 1 && max == 1) return body(*this, next);
  if (min == 0 && max == 1) return Split({body(*this, next), next});
  if (min <= 1 && max == kUnlimited) {
    const Pc again = Forward();
    const Pc begin = body(*this, again);
    Resolve(again, {begin, next});
    return min == 0 ? again : begin;
  }
  program_.loops_.push_back(
      {.min = min, .max = max, .body = kNoPc, .of_characters = of_characters});
  const auto id = static_cast<uint32_t>(program_.loops_.size() - 1);
  const Pc begin = Emit(OpKind::kLoop, id, next);
  const Pc body_begin = body(*this, Emit(OpKind::kLoopNext, 0, kNoPc));
  program_.loops_[id].body = body_begin;
  return begin;
}

RuleId ProgramBuilder::DeclareRule() {
  program_.rules_.push_back(kNoPc);
  return static_cast<RuleId>(program_.rules_.size() - 1);
}

void ProgramBuilder::DefineRule(RuleId rule, const Piece& body) {
  const Pc begin = body(*this, Emit(OpKind::kReturn, 0, kNoPc));
  program_.rules_[rule] = begin;
}

RuleId ProgramBuilder::SharedRule(const std::string& name, const Piece& body) {
  const auto it = shared_.find(name);
  if (it != shared_.end()) return it->second;
  const RuleId rule = DeclareRule();
  shared_[name] = rule;
  DefineRule(rule, body);
  return rule;
}

uint32_t ProgramBuilder::AddObject() {
  program_.objects_.emplace_back();
  return static_cast<uint32_t>(program_.objects_.size() - 1);
}

Pc ProgramBuilder::CountedText(const LoopSpec& bounds, const Piece& body, Pc next) {
  program_.loops_.push_back(bounds);
  const auto id = static_cast<uint32_t>(program_.loops_.size() - 1);
  const Pc begin = body(*this, Emit(OpKind::kTextEnd, 0, next));
  return Emit(OpKind::kText, id, begin);
}

// Is there a way from this op to the end, as far as is known?
bool Program::CanFinish(const Op& op) const {
  const auto known = [this](Pc pc) { return pc != kNoPc && productive_[pc]; };
  switch (op.kind) {
    case OpKind::kReturn:
    case OpKind::kAccept:
    case OpKind::kLoopNext:  // checked where the loop begins
    case OpKind::kObjectKey:
      return true;
    case OpKind::kFail:
      return false;
    case OpKind::kBytes:
      return sets_[op.a].any() && known(op.b);
    case OpKind::kSplit:
      return std::any_of(splits_[op.a].begin(), splits_[op.a].end(), known);
    case OpKind::kCall:
      return known(rules_[op.a]) && known(op.b);
    case OpKind::kLoop:
      return known(op.b) && (loops_[op.a].min == 0 || known(loops_[op.a].body));
    case OpKind::kObject: {
      const ObjectSpec& object = objects_[op.a];
      return known(object.first) &&
             std::all_of(object.keys.begin(), object.keys.end(),
                         [&](const auto& key) { return !key.required || known(key.entry); });
    }
    case OpKind::kText:
      return loops_[op.a].min <= loops_[op.a].max && known(op.b);
    default:
      return known(op.b);
  }
}

void ProgramBuilder::FindProductive() {
  auto& productive = program_.productive_;
  productive.assign(program_.ops_.size(), false);
  // Ops are emitted back to front, so few rounds are needed: one per nesting of forward references.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t pc = 0; pc < productive.size(); ++pc) {
      if (productive[pc] || !program_.CanFinish(program_.ops_[pc])) continue;
      productive[pc] = true;
      changed = true;
    }
  }
}

bool ProgramBuilder::IsProductive(RuleId rule) {
  if (program_.productive_.size() != program_.ops_.size()) FindProductive();
  const Pc begin = program_.rules_[rule];
  return begin != kNoPc && program_.productive_[begin];
}

// A rule that reaches itself without consuming a byte would call itself for ever.
Status ProgramBuilder::CheckLeftRecursion() const {
  enum : uint8_t { kNew, kOpen, kDone };
  std::vector<uint8_t> rule_state(program_.rules_.size(), kNew);
  std::vector<char> nullable(program_.rules_.size(), 0);
  const auto first_calls = [&](Pc begin, std::vector<uint32_t>* calls) {
    bool returns = false;
    std::vector<Pc> work{begin};
    std::vector<bool> seen(program_.ops_.size(), false);
    const auto push = [&](Pc pc) {
      if (pc != kNoPc && !seen[pc]) seen[pc] = true, work.push_back(pc);
    };
    while (!work.empty()) {
      const Op& op = program_.ops_[work.back()];
      work.pop_back();
      switch (op.kind) {
        case OpKind::kReturn:
        case OpKind::kLoopNext:
          returns = true;
          break;
        case OpKind::kSplit:
          for (const Pc target : program_.splits_[op.a]) push(target);
          break;
        case OpKind::kCall:
          calls->push_back(op.a);
          if (nullable[op.a]) push(op.b);
          break;
        case OpKind::kLoop:
          push(program_.loops_[op.a].body);
          push(op.b);
          break;
        case OpKind::kBytes:
        case OpKind::kToken:
        case OpKind::kAnyToken:
          break;
        default:
          push(op.kind == OpKind::kObject ? program_.objects_[op.a].first : op.b);
      }
    }
    return returns;
  };
  std::vector<std::vector<uint32_t>> calls(program_.rules_.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t rule = 0; rule < calls.size(); ++rule) {
      calls[rule].clear();
      const bool empty = first_calls(program_.rules_[rule], &calls[rule]);
      if (empty && !nullable[rule]) nullable[rule] = 1, changed = true;
    }
  }
  const std::function<bool(uint32_t)> cyclic = [&](uint32_t rule) {
    if (rule_state[rule] != kNew) return rule_state[rule] == kOpen;
    rule_state[rule] = kOpen;
    const bool found = std::any_of(calls[rule].begin(), calls[rule].end(), cyclic);
    rule_state[rule] = kDone;
    return found;
  };
  for (uint32_t rule = 0; rule < calls.size(); ++rule) {
    if (cyclic(rule)) {
      return InvalidArgument(
          "[grammar] a rule begins with itself (left recursion); write the repetition with * or +");
    }
  }
  return OkStatus();
}

Result<Program> ProgramBuilder::Build(const Piece& root) {
  program_.start_ = root(*this, Emit(OpKind::kAccept, 0, kNoPc));
  FindProductive();
  for (ObjectSpec& object : program_.objects_) {
    for (ObjectSpec::Key& key : object.keys) {
      if (key.entry != kNoPc && !program_.productive_[key.entry]) key.entry = kNoPc;
    }
    if (object.extra != kNoPc && !program_.productive_[object.extra]) object.extra = kNoPc;
  }
  if (!program_.productive_[program_.start_]) {
    return InvalidArgument("[grammar] nothing can match this grammar");
  }
  return std::move(program_);
}

}  // namespace ac::grammar
