#include <array>

#include "base/utf8.h"
#include "weights/synth.h"

namespace ac::weights {
namespace {

// GGUF token types.
constexpr int32_t kNormal = 1;
constexpr int32_t kControl = 3;
constexpr int32_t kUnused = 5;

// ChatML with tools in the style of the Hermes models: JSON calls between <tool_call> tags.
constexpr const char* kChatTemplate = R"jinja(
{%- if messages and messages[0].role == 'system' -%}
  {%- set system = messages[0].content -%}
  {%- set turns = messages[1:] -%}
{%- else -%}
  {%- set system = '' -%}
  {%- set turns = messages -%}
{%- endif -%}
{%- if system or tools -%}
  {{- '<|im_start|>system\n' + system -}}
  {%- if tools -%}
    {{- ('\n\n' if system else '') + 'Functions you can call, one JSON object a line:\n<tools>\n' -}}
    {%- for tool in tools -%}
      {{- tool | tojson -}}
      {{- '\n' -}}
    {%- endfor -%}
    {{- '</tools>\nTo call a function, answer with:\n<tool_call>\n' -}}
    {{- '{"name": "its name", "arguments": {its arguments}}\n</tool_call>' -}}
  {%- endif -%}
  {{- '<|im_end|>\n' -}}
{%- endif -%}
{%- for turn in turns -%}
  {%- if turn.role == 'tool' -%}
    {{- '<|im_start|>user\n<tool_response>\n' + turn.content + '\n</tool_response><|im_end|>\n' -}}
  {%- else -%}
    {{- '<|im_start|>' + turn.role + '\n' + (turn.content or '') -}}
    {%- for call in turn.tool_calls or [] -%}
      {%- set function = call.function or call -%}
      {%- if turn.content or not loop.first -%}
        {{- '\n' -}}
      {%- endif -%}
      {{- '<tool_call>\n{"name": ' -}}
      {{- function.name | tojson -}}
      {{- ', "arguments": ' -}}
      {%- if function.arguments is string -%}
        {{- function.arguments -}}
      {%- else -%}
        {{- function.arguments | tojson -}}
      {%- endif -%}
      {{- '}\n</tool_call>' -}}
    {%- endfor -%}
    {{- '<|im_end|>\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\n' -}}
{%- endif -%}
)jinja";

// Byte-level BPE writes bytes as printable characters: printable Latin-1 stands for itself, the
// other 68 bytes for U+0100 onwards.
std::array<std::string, 256> ByteTokens() {
  std::array<std::string, 256> tokens;
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool itself =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    AppendUtf8(itself ? byte : next++, &tokens[byte]);
  }
  return tokens;
}

}  // namespace

void AddSynthTokenizer(int vocab_size, GgufMetadataBuilder* out) {
  const std::array<std::string, 256> bytes = ByteTokens();
  std::vector<std::string> tokens(bytes.begin(), bytes.end());
  std::vector<int32_t> types(tokens.size(), kNormal);
  for (const char* special : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    tokens.emplace_back(special);
    types.push_back(kControl);
  }
  for (int i = static_cast<int>(tokens.size()); i < vocab_size; ++i) {
    tokens.push_back("<|unused_" + std::to_string(i) + "|>");
    types.push_back(kUnused);
  }
  out->AddString("tokenizer.ggml.model", "gpt2");
  out->AddString("tokenizer.ggml.pre", "qwen2");
  out->AddStringArray("tokenizer.ggml.tokens", tokens);
  out->AddInt32Array("tokenizer.ggml.token_type", types);
  out->AddStringArray("tokenizer.ggml.merges", {});
  out->AddUint32("tokenizer.ggml.bos_token_id", 256);
  out->AddUint32("tokenizer.ggml.eos_token_id", 258);
  out->AddUint32("tokenizer.ggml.padding_token_id", 256);
  out->AddBool("tokenizer.ggml.add_bos_token", false);
  out->AddString("tokenizer.chat_template", std::string_view(kChatTemplate).substr(1));
}

}  // namespace ac::weights
