// A model whose answers are written in a script: the whole server is real but the weights.
//
// Its tokens go through pages as keys and values do, and it reads its whole prompt back from there,
// so that a wrong page or a wrong prefix shows as a wrong answer. Which answer a prompt gets is
// told by the first rule that fits. Used by one engine thread; the script is immutable.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "model/forward_model.h"
#include "tokenizer/tokenizer.h"

namespace ac::testing {

struct ScriptRule {
  std::string anywhere;  // must be in the prompt
  std::string last;      // must be in what follows the last assistant turn
  int64_t turns = -1;    // assistant turns before this one; -1: any number
  std::string reply;
};

struct Script {
  std::vector<ScriptRule> rules;
  std::string otherwise = "I have nothing to say.";
  int64_t context_length = 400'000;
  double seconds_per_token = 0;   // of replies
  double seconds_per_prompt = 0;  // for 1000 tokens of prompt
};
Result<Script> ParseScript(std::string_view json);

class ScriptedModel : public model::ForwardModel {
 public:
  // Both must outlive the model. `opening` begins a reply in the template.
  ScriptedModel(const Script& script, const tokenizer::Tokenizer& tokenizer, std::string opening)
      : script_(script), tokenizer_(tokenizer), opening_(std::move(opening)) {}

  static kv::PageLayout Layout();

  int vocab_size() const override { return tokenizer_.vocab_size(); }
  int64_t context_length() const override { return script_.context_length; }
  Status Forward(std::span<const model::Chunk> batch, kv::PagePool& pages, float* logits) override;

 private:
  int32_t Next(const std::vector<int32_t>& seen);
  std::vector<int32_t> Reply(std::string_view prompt) const;

  const Script& script_;
  const tokenizer::Tokenizer& tokenizer_;
  const std::string opening_;
  std::map<std::pair<uint64_t, uint64_t>, std::vector<int32_t>> replies_;  // by hash of the prompt
};

}  // namespace ac::testing
