// anyclaude models: list, inspect, synthesise and convert model files.
#include <fmt/format.h>

#include <cstdio>

#include "app/commands/all.h"
#include "app/model_path.h"
#include "app/progress.h"
#include "base/file_system.h"
#include "json/json.h"
#include "weights/convert.h"
#include "weights/synth.h"

namespace ac::app {
namespace {

struct Flags {
  std::string model;
  std::string output;
  std::string type;
  std::string shape;
  uint64_t seed = 1;
  bool json = false;
  bool verify = false;
};

Result<weights::Recipe> ParseRecipe(const std::string& name) {
  if (const auto recipe = weights::RecipeByName(name)) return *recipe;
  return InvalidArgument("[models] unknown type \"" + name +
                         "\"; there are: " + std::string(weights::kRecipeNames));
}

Status List(CommandContext& context, const Flags& flags) {
  const std::vector<std::string> names = ListModels(context.config, FileSystem::Real());
  if (flags.json) {
    fmt::print("{}\n", json::Write(json::Array(names.begin(), names.end())));
    return OkStatus();
  }
  if (names.empty()) {
    fmt::print(stderr, "No models in {}. Put GGUF files or model folders there, or name a path.\n",
               context.config.HomePath("models"));
  }
  for (const std::string& name : names) fmt::print("{}\n", name);
  return OkStatus();
}

Status Synth(const Flags& flags) {
  weights::SynthSpec spec;
  spec.shape = flags.shape;
  spec.seed = flags.seed;
  AC_ASSIGN_OR_RETURN(spec.recipe, ParseRecipe(flags.type));
  ProgressBar progress("writing " + flags.output, "B");
  return weights::Synthesize(
      spec, flags.output, FileSystem::Real(),
      [&progress](uint64_t done, uint64_t total) { progress.Update(done, total); });
}

Status Quantize(const Flags& flags) {
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

void RegisterModels(CLI::App& app, Action* chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* models = app.add_subcommand("models", "List, inspect, make and convert model files");
  models->require_subcommand(1);

  CLI::App* list = AddCommand(*models, chosen, "ls", "Models under the home folder",
                              [flags](CommandContext& context) { return List(context, *flags); });
  list->add_flag("--json", flags->json, "Print JSON");

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
