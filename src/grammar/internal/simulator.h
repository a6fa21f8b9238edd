// Where a program stands: a set of threads, each an op and a stack of frames.
//
// Frames are never changed and never stored twice, so a thread is two numbers, equal stacks are
// equal numbers, and taking steps back is keeping the old numbers. Not thread-safe.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "grammar/program.h"

namespace ac::grammar::internal {

using FrameId = uint32_t;
inline constexpr FrameId kBottom = 0;
inline constexpr FrameId kNoFrame = UINT32_MAX;

struct Frame {
  Pc pc = kNoPc;  // of the op that pushed it
  FrameId parent = kNoFrame;
  uint64_t data = 0;  // of loops and texts: the count; of objects: the keys so far
  uint32_t depth = 0;
};

class FrameStore {
 public:
  FrameStore() { Clear(); }
  void Clear();
  // kNoFrame when the stack is too deep: such a thread ends.
  FrameId Push(Pc pc, uint64_t data, FrameId parent);
  const Frame& operator[](FrameId id) const { return frames_[id]; }
  size_t size() const { return frames_.size(); }

 private:
  struct Key {
    uint64_t place = 0;
    uint64_t data = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const {
      return (key.place * 0x9E3779B97F4A7C15u) ^ (key.data * 0xC2B2AE3D27D4EB4Fu);
    }
  };
  std::vector<Frame> frames_;
  std::unordered_map<Key, FrameId, KeyHash> ids_;
};

struct Thread {
  Pc pc = 0;
  FrameId frame = kBottom;
  friend auto operator<=>(const Thread&, const Thread&) = default;
};

// Threads stand at kBytes, kToken or kAnyToken, sorted, each once.
struct ThreadSet {
  std::vector<Thread> threads;
  bool accepting = false;
  friend bool operator==(const ThreadSet&, const ThreadSet&) = default;
  bool dead() const { return threads.empty() && !accepting; }
};

// Counts beside exact ones; only masks use them (mask_cache.h).
inline constexpr uint64_t kFree = UINT64_MAX;       // may end, may go on for ever
inline constexpr uint64_t kBelow = UINT64_MAX - 1;  // may not end, may go on for ever
// kMinLeft + m: may go on for ever, and end after m more.
inline constexpr uint64_t kMinLeft = UINT64_MAX - 16;

class Simulator {
 public:
  Simulator(const Program& program, FrameStore& frames) : program_(program), frames_(frames) {}

  ThreadSet Start();
  void StepByte(const ThreadSet& from, uint8_t byte, ThreadSet* to);
  // A special token; its bytes do not count.
  void StepToken(const ThreadSet& from, int32_t id, ThreadSet* to);

 private:
  void Begin(ThreadSet* to);
  void End(ThreadSet* to);
  void Visit(Pc pc, FrameId frame);
  void Expand(Thread at, ThreadSet* to);
  void AtLoopHead(Pc loop_pc, uint64_t count, FrameId outer);
  void AtObjectKey(FrameId frame);
  bool MoreKeys(const ObjectSpec& object, uint64_t seen) const;
  bool MayClose(const ObjectSpec& object, uint64_t seen) const;

  const Program& program_;
  FrameStore& frames_;
  std::vector<Thread> work_;
  std::vector<uint64_t> visited_;  // open addressing, 0 is empty
  size_t visited_count_ = 0;
};

bool CountMayEnd(const LoopSpec& loop, uint64_t count);
bool CountMayGrow(const LoopSpec& loop, uint64_t count);
// After `by` more; not called beyond what CountMayGrow allows one by one.
uint64_t CountAfter(const LoopSpec& loop, uint64_t count, uint64_t by);

}  // namespace ac::grammar::internal
