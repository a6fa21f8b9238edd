// Guesses what a large model will say by asking a small one with the same vocabulary.
//
// Keeps keys and values of its own, a bounded number of pages: for each sequence it reads at most a
// window of the last tokens, and after a while it starts anew with the latest. It may therefore
// know less than the large model; a guess is only a guess. What it read of a sequence that ended
// stays until its pages are needed, because the next turn of a conversation goes on from there. All
// sequences of a call are computed together. The engine thread's own.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kv/page_pool.h"
#include "model/forward_model.h"

namespace ac::speculation {

struct DraftTask {
  uint64_t id = 0;                    // of the sequence
  std::span<const int32_t> tokens;    // all that is known of it
  int count = 0;                      // guesses wanted
  std::vector<int32_t> guesses = {};  // out; maybe fewer, or none while it is still reading
};

class DraftModel {
 public:
  // A new sequence is read from so many tokens before its end.
  static constexpr int64_t kWindow = 1024;
  // Beyond so many it starts anew.
  static constexpr int64_t kMostTokens = 4096;
  // Read in one call: a step that also reads stays short.
  static constexpr int64_t kReadAtOnce = 256;
  static int64_t PagesFor(int sequences, int page_tokens) {
    return sequences * (kMostTokens / page_tokens + 2);
  }

  // `model` and `clock` must outlive this object. Only ids below `vocabulary` are guessed.
  DraftModel(model::ForwardModel& model, kv::PagePool pages, int vocabulary,
             Clock& clock = Clock::Real());

  // A failure leaves nothing behind that a later call would trust.
  Status Guess(std::span<DraftTask> tasks);
  // The sequence guesses no more.
  void End(uint64_t id);

  // What one more guess of every sequence in a call takes; 0: not measured.
  double seconds_per_guess() const { return seconds_per_guess_; }
  // Every page is held by a reader or free.
  Status CheckIntegrity() const;

 private:
  // What was read of one sequence: keys and values of its tokens [begin, begin + read.size()).
  struct Reader {
    uint64_t id = 0;  // 0: its sequence ended
    int64_t begin = 0;
    std::vector<int32_t> read;
    std::vector<kv::PageId> pages;
    uint64_t used = 0;  // call number
  };
  // A task on its way.
  struct Work {
    DraftTask* task;
    Reader* reader;
    std::span<const int32_t> input;  // tokens of this round
    double confidence = 1;           // that all guesses so far are right
  };

  Reader* ReaderOf(const DraftTask& task);
  Reader* Resume(const DraftTask& task);
  void Align(Reader& reader, std::span<const int32_t> tokens) const;
  bool Grow(Reader& reader, int64_t tokens);
  void Drop(Reader& reader);
  std::vector<Work> Read(std::span<DraftTask> tasks, Status* status);
  Status Forward(std::span<Work> works, bool guess);
  void Choose(Work& work, std::span<const float> logits) const;

  model::ForwardModel& model_;
  kv::PagePool pool_;
  const int vocabulary_;
  Clock& clock_;
  const int64_t most_tokens_;
  std::list<Reader> readers_;
  std::vector<float> logits_;
  uint64_t calls_ = 0;
  double seconds_per_guess_ = 0;
};

}  // namespace ac::speculation
