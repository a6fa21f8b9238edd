// What benchmarks of long prompts share: an agent's request of 320 kB, and the vocabulary and
// template of a Qwen model from the shared test data.
#pragma once

#include <memory>
#include <random>
#include <string>

#include "base/file_system.h"
#include "json/json.h"
#include "support/shared_data.h"
#include "tokenizer/gguf_vocab.h"
#include "weights/gguf.h"

namespace ac::testing {

inline constexpr size_t kRequestBytes = 300'000;

// Lines that look like source code: names that repeat, numbers that do not.
inline std::string Code(std::mt19937* random, size_t bytes) {
  static const char* const kWords[] = {"result", "Status", "buffer", "index",  "return", "const",
                                       "auto",   "string", "size_t", "vector", "if",     "while",
                                       "Parse",  "value",  "first",  "second", "client", "server"};
  std::string text;
  while (text.size() < bytes) {
    text.append(2 * ((*random)() % 4), ' ');
    const auto words = 3 + (*random)() % 6;
    for (unsigned i = 0; i < words; ++i) {
      text += kWords[(*random)() % std::size(kWords)];
      static const char* const kBetween[] = {" ", "_", "(", ") ", "::", " = ", "->", ", "};
      text += kBetween[(*random)() % std::size(kBetween)];
    }
    text += std::to_string((*random)() % 1000) + ";\n";
  }
  return text;
}

// As Claude Code asks: tools, a system prompt, then calls and their results.
// `more_tools`: definitions to add to the twelve simple ones, each with a comma in front.
inline std::string AgentRequest(size_t turns_more, const std::string& more_tools = "") {
  std::mt19937 random(7);
  std::string tools;
  for (int i = 0; i < 12; ++i) {
    tools += (i > 0 ? "," : "") + std::string(R"({"name":"Tool)") + std::to_string(i) +
             R"(","description":)" + json::Quote(Code(&random, 2000)) +
             R"(,"input_schema":{"type":"object","properties":{"path":{"type":"string"}}}})";
  }
  tools += more_tools;
  std::string messages = R"({"role":"user","content":"go"})";
  size_t turns = 0;
  const auto add_turn = [&] {
    const std::string id = "toolu_" + std::to_string(turns++);
    messages += R"(,{"role":"assistant","content":[{"type":"tool_use","id":")" + id +
                R"(","name":"Tool1","input":{"path":"src/file)" + std::to_string(turns) +
                R"(.cc"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":")" + id +
                R"(","content":)" + json::Quote(Code(&random, 4000)) + "}]}";
  };
  while (messages.size() + tools.size() < kRequestBytes) add_turn();
  for (size_t i = 0; i < turns_more; ++i) add_turn();
  return R"({"model":"m","max_tokens":32000,"stream":true,"messages":[)" + messages +
         R"(],"system":)" + json::Quote(Code(&random, 20'000)) + R"(,"tools":[)" + tools + "]}";
}

struct Qwen {
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  std::string chat_template;

  static const Qwen* Get() {
    static const Qwen* const loaded = Load();
    return loaded;
  }

 private:
  static const Qwen* Load() {
    auto file = weights::GgufFile::Open(SharedData("vocab/ggml-vocab-qwen2.gguf"));
    const auto text =
        ReadFile(FileSystem::Real(), SharedData("templates/Qwen-Qwen2.5-7B-Instruct.jinja"));
    if (!file.ok() || !text.ok()) return nullptr;
    auto spec = tokenizer::SpecFromGgufMetadata(file->metadata());
    if (!spec.ok()) return nullptr;
    auto made = tokenizer::Tokenizer::Create(std::move(spec).value());
    if (!made.ok()) return nullptr;
    auto qwen = std::make_unique<Qwen>();
    qwen->tokenizer = std::move(made).value();
    qwen->chat_template = *text;
    return qwen.release();
  }
};

}  // namespace ac::testing
