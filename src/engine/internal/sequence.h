// One generation in flight. Private to the engine; only its thread touches it.
//
// Its phase is derived, never stored: tokens beyond `computed` still need a forward pass, and
// `outputs` says whether the prompt is done. So a preempted sequence is simply one whose `computed`
// went back to zero.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/disk_tier.h"
#include "engine/request.h"
#include "engine/sampler.h"
#include "engine/stop_strings.h"
#include "kv/page_pool.h"
#include "kv/prefix_cache.h"
#include "speculation/draft.h"
#include "tokenizer/stream_decoder.h"

namespace ac::engine {

struct Sequence {
  Sequence(RequestId request_id, GenerateRequest r, std::shared_ptr<TokenSink> s,
           const tokenizer::Tokenizer& tokenizer, Nanos now)
      : id(request_id),
        request(std::move(r)),
        sink(std::move(s)),
        sampler(request.sampling, request.prompt),
        stops(request.stop_strings),
        decoder(tokenizer, /*skip_special=*/false),
        constraint(request.constraint != nullptr ? request.constraint->Fork() : nullptr),
        tokens(request.prompt),
        submitted(now) {}

  const RequestId id;
  GenerateRequest request;
  std::shared_ptr<TokenSink> sink;
  Sampler sampler;
  StopStrings stops;
  // Special tokens stay visible: tool-call syntax is made of them.
  tokenizer::StreamDecoder decoder;
  std::unique_ptr<TokenConstraint> constraint;  // null: the reply is free

  std::vector<TokenId> tokens;  // prompt, then output
  int64_t computed = 0;         // leading tokens whose keys and values are in `pages`
  int64_t outputs = 0;
  int64_t max_outputs = 0;

  std::vector<float> pooled;  // sum of the hidden states so far, of a request that embeds

  speculation::Draft draft;  // what the next step computes ahead

  std::vector<kv::PageId> pages;            // one reference each
  std::vector<std::byte> state;             // after `computed` tokens; of models that have one
  kv::PrefixCache::Lease lease;             // keeps the shared ones in the tree
  std::unique_ptr<PendingRestore> restore;  // the disk reads more of its tokens
  bool arriving = false;                    // into `pages`, while it runs: for one step
  Nanos twin_since{0};  // not zero: waits for a sequence that computes the same beginning

  bool started = false;    // OnStart was called
  bool preempted = false;  // waits until its memory is there again
  bool finished = false;
  FinishInfo info;
  Nanos submitted{0};
  Nanos admitted{0};
  Nanos first_token{0};

  bool prompt_done() const { return outputs > 0; }
  // The next step gives it a token; it may guess what follows.
  bool can_guess() const { return !finished && prompt_done() && known() - computed == 1; }
  int64_t known() const { return static_cast<int64_t>(tokens.size()); }
};

}  // namespace ac::engine
