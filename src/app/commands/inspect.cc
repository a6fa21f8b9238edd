// anyclaude models inspect: what a model file holds, what it needs, whether it runs here.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "app/commands/all.h"
#include "app/model_path.h"
#include "app/progress.h"
#include "json/json.h"
#include "model/model.h"
#include "quant/quant.h"
#include "weights/gguf.h"
#include "weights/model_file.h"

namespace ac::app {
namespace {

bool IsSupported(const std::string& architecture) {
  const auto names = model::SupportedArchitectures();
  return std::find(names.begin(), names.end(), architecture) != names.end();
}

std::string_view ScalingName(weights::RopeScaling scaling) {
  switch (scaling) {
    case weights::RopeScaling::kNone:
      return "none";
    case weights::RopeScaling::kLinear:
      return "linear";
    case weights::RopeScaling::kYarn:
      return "yarn";
    case weights::RopeScaling::kLlama3:
      return "llama3";
  }
  return "unknown";
}

// "7.62 B", "1.05 M": small models have numbers too.
std::string Amount(double value, const char* billion, const char* million) {
  return value < 1e8 ? fmt::format("{:.2f} {}", value / 1e6, million)
                     : fmt::format("{:.2f} {}", value / 1e9, billion);
}

// What a model's maker measured and wrote into the file: keys "anyclaude.card.WHAT".
void PrintCard(const weights::ModelFile& file) {
  constexpr std::string_view kPrefix = "anyclaude.card.";
  const weights::GgufMetadata* const metadata = file.tokenizer_source().gguf;
  if (metadata == nullptr) return;
  for (const weights::GgufMetadata::Entry& entry : metadata->entries()) {
    if (!entry.key.starts_with(kPrefix)) continue;
    std::string what(entry.key.substr(kPrefix.size()));
    std::replace(what.begin(), what.end(), '_', ' ');
    if (const auto text = entry.value.AsString()) {
      fmt::print("{:<14} {}\n", what, *text);
    } else if (const auto number = entry.value.AsDouble()) {
      fmt::print("{:<14} {:.1f} %\n", what, *number);
    }
  }
}

void Print(const weights::ModelFile& file, const weights::ModelSummary& summary) {
  const weights::ModelConfig& config = file.config();
  fmt::print("{} ({})\n", config.name.empty() ? file.path() : config.name, file.format());
  fmt::print("architecture   {}{}\n", config.architecture,
             IsSupported(config.architecture) ? "" : "  (not supported by the engine)");
  fmt::print("layers         {} x {} wide, {} heads over {} KV heads of {}\n", config.n_layers,
             config.d_model, config.n_heads, config.n_kv_heads, config.head_dim);
  if (config.n_experts > 0) {
    fmt::print("experts        {} of {} used per token\n", config.n_experts_used, config.n_experts);
  }
  fmt::print("vocabulary     {}\n", config.vocab_size);
  fmt::print("context        {} tokens, rope scaling {}\n", config.context_length,
             ScalingName(config.rope.scaling));
  fmt::print("parameters     {}\n", Amount(static_cast<double>(summary.elements), "B", "M"));
  fmt::print("size           {}:", Amount(static_cast<double>(file.total_bytes()), "GB", "MB"));
  for (const weights::TypeShare& share : summary.types) {
    fmt::print(" {} {}", quant::InfoOf(share.type).name,
               Amount(static_cast<double>(share.bytes), "GB", "MB"));
  }
  fmt::print("\nKV cache       {:.1f} KB per token\n",
             static_cast<double>(summary.kv_bytes_per_token) / 1e3);
  fmt::print("chat template  {}\n",
             file.tokenizer_source().chat_template.empty() ? "none: plain ChatML is used" : "yes");
  PrintCard(file);
}

Status Verify(const weights::ModelFile& file) {
  ProgressBar progress("checking weights", "B");
  uint64_t done = 0;
  for (const weights::Tensor& tensor : file.tensors()) {
    AC_RETURN_IF_ERROR(weights::CheckFinite(tensor));
    done += tensor.bytes;
    progress.Update(done, file.total_bytes());
  }
  return OkStatus();
}

}  // namespace

Status InspectModel(CommandContext& context, const std::string& model, bool as_json, bool verify) {
  AC_ASSIGN_OR_RETURN(const ResolvedModel resolved,
                      ResolveModel(context.config, model, FileSystem::Real()));
  AC_ASSIGN_OR_RETURN(const auto file, weights::ModelFile::Open(resolved.path));
  if (as_json) {
    fmt::print("{}\n", json::WritePretty(weights::DescribeModel(*file)));
  } else {
    Print(*file, weights::Summarize(*file));
  }
  if (!verify) return OkStatus();
  AC_RETURN_IF_ERROR(Verify(*file));
  fmt::print(stderr, "every weight is finite\n");
  return OkStatus();
}

}  // namespace ac::app
