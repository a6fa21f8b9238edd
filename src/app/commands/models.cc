// anyclaude models: list, inspect, pull, synthesise and convert model files.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "app/commands/all.h"
#include "app/model_fit.h"
#include "app/model_path.h"
#include "app/progress.h"
#include "base/file_system.h"
#include "bench/peak.h"
#include "cpu/topology.h"
#include "json/json.h"
#include "kernels/select.h"
#include "quant/quant.h"
#include "weights/convert.h"
#include "weights/synth.h"

namespace ac::app {
namespace {

struct ModelsFlags {
  std::string model;
  std::string output;
  std::string type;
  std::string shape;
  uint64_t seed = 1;
  int layers = 0;
  bool json = false;
  bool verify = false;
};

Result<weights::Recipe> ParseRecipe(const std::string& name) {
  if (const auto recipe = weights::RecipeByName(name)) return *recipe;
  return InvalidArgument("[models] unknown type \"" + name +
                         "\"; there are: " + std::string(weights::kRecipeNames));
}

struct ListedModel {
  std::string name;
  std::string problem;  // why it cannot be opened
  std::string architecture;
  std::string types;  // "q4_k q6_k": the largest share of bytes first
  ModelFit fit;
  ExpectedSpeed speed;
};

ListedModel Examine(const Config& config, const std::string& name, uint64_t memory,
                    const bench::Peak& peak) {
  ListedModel listed{.name = name};
  const Result<ResolvedModel> resolved = ResolveModel(config, name, FileSystem::Real());
  if (!resolved.ok()) return {.name = name, .problem = resolved.status().message()};
  const auto file = weights::ModelFile::Open(resolved->path);
  if (!file.ok()) return {.name = name, .problem = file.status().message()};
  listed.architecture = (*file)->config().architecture;
  for (const weights::TypeShare& share : weights::Summarize(**file).types) {
    if (share.bytes * 20 < (*file)->total_bytes()) continue;  // norms and the like
    if (!listed.types.empty()) listed.types += ' ';
    listed.types += quant::InfoOf(share.type).name;
  }
  listed.fit = FitModel(**file, memory);
  listed.speed = ExpectSpeed(**file, peak);
  return listed;
}

double TokensPerSecond(const ListedModel& model, double gb_per_s) {
  return model.fit.active_bytes == 0 ? 0
                                     : gb_per_s * 1e9 / static_cast<double>(model.fit.active_bytes);
}

json::Object ToJson(const ListedModel& model, double gb_per_s) {
  if (!model.problem.empty()) return {{"name", model.name}, {"problem", model.problem}};
  return {{"name", model.name},
          {"architecture", model.architecture},
          {"types", model.types},
          {"bytes", model.fit.weight_bytes},
          {"active_bytes", model.fit.active_bytes},
          {"fits", model.fit.fits},
          {"max_tokens_per_s", TokensPerSecond(model, gb_per_s)},
          {"expected_tokens_per_s", model.speed.decode_tokens_per_s},
          {"expected_prefill_tokens_per_s", model.speed.prefill_tokens_per_s},
          {"expected_agent_prompt_s", model.speed.agent_prompt_s}};
}

void Print(const std::vector<ListedModel>& models, const bench::Peak& peak, uint64_t memory) {
  size_t width = 4;
  for (const ListedModel& model : models) width = std::max(width, model.name.size());
  fmt::print("{:<{}}  {:>7}  {:<10} {:<14} {:<4} {:>9} {:>9} {:>12}\n", "NAME", width, "GB", "TYPE",
             "WEIGHTS", "FITS", "WRITES", "READS", "AGENT PROMPT");
  for (const ListedModel& model : models) {
    if (!model.problem.empty()) {
      fmt::print("{:<{}}  cannot be opened: {}\n", model.name, width, model.problem);
      continue;
    }
    fmt::print("{:<{}}  {:>7.2f}  {:<10} {:<14} {:<4} {:>7.1f}/s {:>7.0f}/s {:>10.0f} s\n",
               model.name, width, static_cast<double>(model.fit.weight_bytes) / 1e9,
               model.architecture, model.types, model.fit.fits ? "yes" : "no",
               model.speed.decode_tokens_per_s, model.speed.prefill_tokens_per_s,
               model.speed.agent_prompt_s);
  }
  fmt::print(
      stderr,
      "\nFITS: weights and a conversation of 32,768 tokens in the {:.1f} GB of memory that are "
      "free now.\nExpected on this machine as it is now ({:.0f} Gop/s, {:.1f} GB/s): tokens it "
      "writes per second, tokens it\nreads per second, and the wait for an agent's first prompt "
      "(18,490 tokens, nothing cached).\nWhat is reached: anyclaude bench decode, bench prefill.\n",
      static_cast<double>(memory) / 1e9, peak.byte_gops, peak.read_gb_per_s);
}

Status List(CommandContext& context, const ModelsFlags& flags) {
  const std::vector<std::string> names = ListModels(context.config, FileSystem::Real());
  if (names.empty() && !flags.json) {
    fmt::print(stderr,
               "No models in {}. Get one with: anyclaude models pull NAME (see its --help), or "
               "put GGUF files or model folders there.\n",
               context.config.HomePath("models"));
    return OkStatus();
  }
  const cpu::Topology host = cpu::HostTopology();
  bench::Peak peak;
  if (!names.empty()) {
    const char* isa = std::getenv("ANYCLAUDE_ISA");
    AC_ASSIGN_OR_RETURN(const kernels::Selection kernels,
                        kernels::SelectTable(isa == nullptr ? "" : isa));
    cpu::ThreadPool pool({.threads = static_cast<int>(context.config.Integer("threads"))});
    AC_ASSIGN_OR_RETURN(peak, bench::MeasurePeak(*kernels.table, pool));
  }
  std::vector<ListedModel> models;
  for (const std::string& name : names) {
    models.push_back(Examine(context.config, name, host.memory_available, peak));
  }
  if (!flags.json) {
    Print(models, peak, host.memory_available);
    return OkStatus();
  }
  json::Array list;
  for (const ListedModel& model : models) list.push_back(ToJson(model, peak.read_gb_per_s));
  fmt::print("{}\n", json::Write(list));
  return OkStatus();
}

Status Synth(const ModelsFlags& flags) {
  weights::SynthSpec spec;
  spec.shape = flags.shape;
  spec.seed = flags.seed;
  spec.layers = flags.layers;
  AC_ASSIGN_OR_RETURN(spec.recipe, ParseRecipe(flags.type));
  ProgressBar progress("writing " + flags.output, "B");
  return weights::Synthesize(
      spec, flags.output, FileSystem::Real(),
      [&progress](uint64_t done, uint64_t total) { progress.Update(done, total); });
}

Status Quantize(const ModelsFlags& flags) {
  AC_ASSIGN_OR_RETURN(const weights::Recipe recipe, ParseRecipe(flags.type));
  ProgressBar progress("writing " + flags.output, "B");
  return weights::ConvertModel(
      flags.model, flags.output, recipe, FileSystem::Real(),
      [&progress](uint64_t done, uint64_t total) { progress.Update(done, total); });
}

std::string ShapeNames() {
  std::string names;
  for (const std::string& shape : weights::SynthShapes()) names += " " + shape;
  return names;
}

}  // namespace

Status InspectModel(CommandContext& context, const std::string& model, bool as_json, bool verify);
Status PullModel(CommandContext& context, const std::string& model);
std::string ModelCatalogText();

void RegisterModels(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<ModelsFlags>();
  CLI::App* models =
      app.add_subcommand("models", "List, fetch, inspect, make and convert model files");
  models->require_subcommand(1);

  CLI::App* list = AddCommand(*models, chosen, "ls",
                              "Models under the home folder: do they fit, how fast could they be",
                              [flags](CommandContext& context) { return List(context, *flags); });
  list->add_flag("--json", flags->json, "Print JSON");

  CLI::App* pull = AddCommand(
      *models, chosen, "pull", "Fetch a model; an interrupted fetch goes on where it ended",
      [flags](CommandContext& context) { return PullModel(context, flags->model); });
  pull->add_option("model", flags->model,
                   "A name, OWNER/REPO[@REVISION][:QUANTISATION], or the URL of a GGUF file")
      ->required();
  pull->footer(ModelCatalogText());

  CLI::App* inspect =
      AddCommand(*models, chosen, "inspect", "What a model file holds and needs",
                 [flags](CommandContext& context) {
                   return InspectModel(context, flags->model, flags->json, flags->verify);
                 });
  inspect->add_option("model", flags->model, "File, folder or name")->required();
  inspect->add_flag("--json", flags->json, "Print JSON");
  inspect->add_flag("--verify", flags->verify,
                    "Also read every weight and check that it is finite");

  CLI::App* synth = AddCommand(*models, chosen, "synth",
                               "Make a model of a real shape with random weights, to measure speed",
                               [flags](CommandContext&) { return Synth(*flags); });
  synth->add_option("--shape", flags->shape, "One of:" + ShapeNames())->required();
  synth->add_option("--quant", flags->type, "One of: " + std::string(weights::kRecipeNames))
      ->required();
  synth->add_option("--layers", flags->layers, "Only so many of the shape's layers");
  synth->add_option("-o,--output", flags->output, "The GGUF file to write")->required();
  synth->add_option("--seed", flags->seed, "Same seed, same bytes");

  CLI::App* quantize =
      AddCommand(*models, chosen, "quantize", "Convert a model to another weight type",
                 [flags](CommandContext&) { return Quantize(*flags); });
  quantize->add_option("input", flags->model, "GGUF file or safetensors folder")->required();
  quantize->add_option("output", flags->output, "The GGUF file to write")->required();
  quantize->add_option("--type", flags->type, "One of: " + std::string(weights::kRecipeNames))
      ->required();
}

}  // namespace ac::app
