#include "grammar/internal/simulator.h"

#include <algorithm>

namespace ac::grammar::internal {
namespace {

// Deeper than any schema nests; ends runaway recursion.
constexpr uint32_t kMaxDepth = 256;
// A reply position with more alternatives than this loses the rest of them.
constexpr size_t kMaxVisits = 1 << 16;

}  // namespace

void FrameStore::Clear() {
  frames_.assign(1, Frame{});
  ids_.clear();
}

FrameId FrameStore::Push(Pc pc, uint64_t data, FrameId parent) {
  const uint32_t depth = frames_[parent].depth + 1;
  if (depth > kMaxDepth) return kNoFrame;
  const Key key{(uint64_t{pc} << 32) | parent, data};
  const auto [it, is_new] = ids_.try_emplace(key, static_cast<FrameId>(frames_.size()));
  if (is_new) frames_.push_back({pc, parent, data, depth});
  return it->second;
}

bool CountMayEnd(const LoopSpec& loop, uint64_t count) {
  if (count > kMinLeft) return count == kFree;
  return count >= loop.min;
}

bool CountMayGrow(const LoopSpec& loop, uint64_t count) {
  return count > kMinLeft || count < loop.max;
}

uint64_t CountAfter(const LoopSpec& loop, uint64_t count, uint64_t by) {
  if (count >= kBelow) return count;
  if (count > kMinLeft) return count - kMinLeft <= by ? kFree : count - by;
  count += by;
  // Only "enough" matters where there is no upper bound.
  return loop.max == kUnlimited && count >= loop.min ? kFree : count;
}

ThreadSet Simulator::Start() {
  ThreadSet set;
  Begin(&set);
  Visit(program_.start(), kBottom);
  End(&set);
  return set;
}

void Simulator::StepByte(const ThreadSet& from, uint8_t byte, ThreadSet* to) {
  Begin(to);
  for (const Thread& thread : from.threads) {
    const Op& op = program_.op(thread.pc);
    if (op.kind == OpKind::kBytes && program_.bytes(op).test(byte)) Visit(op.b, thread.frame);
  }
  End(to);
}

void Simulator::StepToken(const ThreadSet& from, int32_t id, ThreadSet* to) {
  Begin(to);
  for (const Thread& thread : from.threads) {
    const Op& op = program_.op(thread.pc);
    const bool fits = (op.kind == OpKind::kToken && static_cast<int32_t>(op.a) == id) ||
                      (op.kind == OpKind::kAnyToken && !program_.names_token(id));
    if (fits) Visit(op.b, thread.frame);
  }
  End(to);
}

void Simulator::Begin(ThreadSet* to) {
  to->threads.clear();
  to->accepting = false;
  work_.clear();
  if (visited_.empty()) visited_.resize(64);
  if (visited_count_ > 0) std::fill(visited_.begin(), visited_.end(), 0);
  visited_count_ = 0;
}

void Simulator::End(ThreadSet* to) {
  while (!work_.empty()) {
    const Thread at = work_.back();
    work_.pop_back();
    Expand(at, to);
  }
  std::sort(to->threads.begin(), to->threads.end());
}

void Simulator::Visit(Pc pc, FrameId frame) {
  if (pc == kNoPc || frame == kNoFrame || !program_.productive(pc)) return;
  if (visited_count_ >= kMaxVisits) return;
  if ((visited_count_ + 1) * 2 > visited_.size()) {
    std::vector<uint64_t> old(visited_.size() * 2);
    old.swap(visited_);
    visited_count_ = 0;
    for (const uint64_t key : old) {
      if (key == 0) continue;
      size_t slot = ((key * 0x9E3779B97F4A7C15u) >> 32) & (visited_.size() - 1);
      while (visited_[slot] != 0) slot = (slot + 1) & (visited_.size() - 1);
      visited_[slot] = key;
      ++visited_count_;
    }
  }
  const uint64_t key = ((uint64_t{pc} << 32) | frame) + 1;
  size_t slot = ((key * 0x9E3779B97F4A7C15u) >> 32) & (visited_.size() - 1);
  while (visited_[slot] != 0) {
    if (visited_[slot] == key) return;
    slot = (slot + 1) & (visited_.size() - 1);
  }
  visited_[slot] = key;
  ++visited_count_;
  work_.push_back({pc, frame});
}

void Simulator::Expand(Thread at, ThreadSet* to) {
  const Op& op = program_.op(at.pc);
  const Frame top = frames_[at.frame];
  switch (op.kind) {
    case OpKind::kBytes:
    case OpKind::kToken:
    case OpKind::kAnyToken:
      to->threads.push_back(at);
      break;
    case OpKind::kAccept:
      to->accepting = true;
      break;
    case OpKind::kFail:
      break;
    case OpKind::kSplit:
      for (const Pc target : program_.targets(op)) Visit(target, at.frame);
      break;
    case OpKind::kCall: {
      // A call with nothing left to do but return needs no frame of its own.
      const bool tail = program_.op(op.b).kind == OpKind::kReturn;
      Visit(program_.rule(op), tail ? at.frame : frames_.Push(at.pc, 0, at.frame));
      break;
    }
    case OpKind::kReturn:
      Visit(program_.op(top.pc).b, top.parent);
      break;
    case OpKind::kLoop:
      AtLoopHead(at.pc, 0, at.frame);
      break;
    case OpKind::kLoopNext:
      AtLoopHead(top.pc, CountAfter(program_.loop(program_.op(top.pc)), top.data, 1), top.parent);
      break;
    case OpKind::kText:
      Visit(op.b, frames_.Push(at.pc, 0, at.frame));
      break;
    case OpKind::kCount: {
      const LoopSpec& text = program_.loop(program_.op(top.pc));
      const uint64_t count = CountAfter(text, top.data, op.a);
      if (count <= kMinLeft && count > text.max) break;
      Visit(op.b, frames_.Push(top.pc, count, top.parent));
      break;
    }
    case OpKind::kTextEnd:
      if (CountMayEnd(program_.loop(program_.op(top.pc)), top.data)) Visit(op.b, top.parent);
      break;
    case OpKind::kObject:
      Visit(program_.object(op).first, frames_.Push(at.pc, 0, at.frame));
      break;
    case OpKind::kObjectKey:
      AtObjectKey(at.frame);
      break;
    case OpKind::kMoreKeys:
      if (MoreKeys(program_.object(program_.op(top.pc)), top.data)) Visit(op.b, at.frame);
      break;
    case OpKind::kKeyDone: {
      const ObjectSpec& object = program_.object(program_.op(top.pc));
      uint64_t seen = top.data;
      if (op.a != kNoPc) seen = object.ordered() ? op.a + uint64_t{1} : seen | uint64_t{1} << op.a;
      Visit(op.b, frames_.Push(top.pc, seen, top.parent));
      break;
    }
    case OpKind::kObjectMayEnd:
      if (MayClose(program_.object(program_.op(top.pc)), top.data)) Visit(op.b, at.frame);
      break;
    case OpKind::kObjectEnd:
      Visit(op.b, top.parent);
      break;
  }
}

void Simulator::AtLoopHead(Pc loop_pc, uint64_t count, FrameId outer) {
  const Op& op = program_.op(loop_pc);
  const LoopSpec& loop = program_.loop(op);
  if (CountMayEnd(loop, count)) Visit(op.b, outer);
  if (CountMayGrow(loop, count)) Visit(loop.body, frames_.Push(loop_pc, count, outer));
}

void Simulator::AtObjectKey(FrameId frame) {
  const ObjectSpec& object = program_.object(program_.op(frames_[frame].pc));
  const uint64_t seen = frames_[frame].data;
  if (object.extra != kNoPc) Visit(object.extra, frame);
  if (!object.ordered()) {
    for (size_t i = 0; i < object.keys.size(); ++i) {
      if ((seen >> i & 1) == 0) Visit(object.keys[i].entry, frame);
    }
    return;
  }
  // Optional keys may be skipped, a required one not.
  for (size_t i = seen; i < object.keys.size(); ++i) {
    Visit(object.keys[i].entry, frame);
    if (object.keys[i].required) break;
  }
}

bool Simulator::MoreKeys(const ObjectSpec& object, uint64_t seen) const {
  if (object.extra != kNoPc) return true;
  for (size_t i = object.ordered() ? seen : 0; i < object.keys.size(); ++i) {
    const bool open = object.ordered() || (seen >> i & 1) == 0;
    if (open && object.keys[i].entry != kNoPc) return true;
  }
  return false;
}

bool Simulator::MayClose(const ObjectSpec& object, uint64_t seen) const {
  if (!object.ordered()) return (object.required_mask() & ~seen) == 0;
  for (size_t i = seen; i < object.keys.size(); ++i) {
    if (object.keys[i].required) return false;
  }
  return true;
}

}  // namespace ac::grammar::internal
