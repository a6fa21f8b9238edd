// What the subcommands of `bench` share.
#pragma once

#include <string>

#include "app/command.h"
#include "app/open_model.h"
#include "kv/layout.h"

namespace ac::app {

// Which model to measure: a file, or a synthetic one of a real shape.
struct BenchModelFlags {
  std::string model;
  std::string shape;
  std::string quant;
  int layers = 0;  // of the shape's; 0: all
};

void AddBenchModelOptions(CLI::App* command, BenchModelFlags* flags);

// Writes the synthetic model on first use, under bench/ in the home folder. Neither model nor shape
// given: the configured model, else a synthetic one of half a billion parameters.
Result<OpenedModel> OpenBenchModel(CommandContext& context, const BenchModelFlags& flags);

// Writes `page`, when a path was given.
Status WritePage(const std::string& path, const std::string& page);

void RegisterBenchGateway(CLI::App& bench, Action* chosen);
void RegisterBenchSession(CLI::App& bench, Action* chosen);

}  // namespace ac::app
