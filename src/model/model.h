// A language model ready to run: token ids in, logits out.
//
// A Model borrows the tensors of a ModelFile, a kernel table and a thread pool; all three must
// outlive it. It owns scratch memory bounded by Options::max_block_tokens, whatever the prompt.
//
// Not thread-safe: one engine thread calls Forward, which spreads its work over the pool. What
// depends on a sequence (its keys and values) lives in pages the caller allocates; the Model writes
// them and keeps no state between calls.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cpu/thread_pool.h"
#include "kv/page_pool.h"
#include "kv/restore.h"
#include "weights/model_file.h"

struct ac_kernel_table;

namespace ac::model {

using TokenId = int32_t;

enum class LogitRows : uint8_t { kNone, kLast, kAll };

// Consecutive tokens of one sequence to compute in this call.
struct Chunk {
  std::span<const TokenId> tokens;
  int64_t position = 0;  // of tokens[0]; positions before it are already in `pages`
  // Block table: pages[i] holds positions [i * page_tokens, (i + 1) * page_tokens) and the table
  // reaches at least to the end of this chunk. Pages this chunk writes belong to its sequence
  // alone.
  std::span<const kv::PageId> pages;
  LogitRows logits = LogitRows::kLast;
  // For models whose memory is not only a list of pages (model/forward_model.h): their state after
  // the tokens before `position`, which the call moves on to the end of the chunk. Else empty.
  std::span<std::byte> state{};
  // Not null: the pages before `position` are still being read from the disk; each layer waits for
  // its part of them.
  kv::Restore* arriving = nullptr;
  // Not null: the hidden state behind the last norm of every token of this chunk is added to these
  // d_model numbers, token by token.
  float* pooled = nullptr;
};

// Rows of logits a batch asks for: one for kLast, all tokens for kAll.
int64_t CountLogitRows(std::span<const Chunk> batch);

class Model {
 public:
  struct Options {
    const ac_kernel_table* table = nullptr;  // kernels/select.h
    cpu::ThreadPool* pool = nullptr;
    // Tokens that go through all layers together: bounds scratch memory. Longer batches are cut.
    int max_block_tokens = 512;
  };

  // Finds and checks every tensor of the architecture. Errors name the file and the tensor.
  static Result<std::unique_ptr<Model>> Create(const weights::ModelFile& file,
                                               const Options& options);
  ~Model();

  const weights::ModelConfig& config() const;
  // How pages for this model must look; the pool given to Forward is made from it.
  kv::PageLayout Layout(kv::KvType type) const;

  // While `*flag` is true, Forward gives up before its next layer with kCancelled, unless
  // a prefix is arriving. Null: never.
  void SetInterrupt(const std::atomic<bool>* flag);

  // Computes every chunk, each of its own sequence, and appends their keys and values to their
  // pages. `logits` receives the rows asked for, [CountLogitRows(batch), vocab_size], in the order
  // of the chunks; null when there are none. Weights are read once per block of the whole batch.
  //
  // A token's logits do not depend on how prompts are cut into chunks nor on what else is in the
  // batch, bit for bit (docs/adr/0007-batch-invariance.md).
  // Fails with kInvalidArgument, having written nothing, on token ids outside the vocabulary or a
  // block table that is too short; with kDataLoss, having written pages of no use, when `arriving`
  // pages did not come.
  Status Forward(std::span<const Chunk> batch, kv::PagePool& pages, float* logits);

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Architectures Create() accepts, for messages and `models inspect`.
std::vector<std::string_view> SupportedArchitectures();

}  // namespace ac::model
