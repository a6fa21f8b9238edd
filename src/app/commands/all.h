// Every subcommand's registration; main.cc calls them in this order, which is the order of --help.
#pragma once

#include "app/command.h"

namespace ac::app {

void RegisterServe(CLI::App& app, Action* chosen);
void RegisterGenerate(CLI::App& app, Action* chosen);
void RegisterChat(CLI::App& app, Action* chosen);
void RegisterBatch(CLI::App& app, Action* chosen);
void RegisterTokenize(CLI::App& app, Action* chosen);
void RegisterTemplate(CLI::App& app, Action* chosen);
void RegisterModels(CLI::App& app, Action* chosen);
void RegisterCache(CLI::App& app, Action* chosen);
void RegisterTrace(CLI::App& app, Action* chosen);
void RegisterTraceReplay(CLI::App& trace, Action* chosen);  // a subcommand of trace
void RegisterCost(CLI::App& app, Action* chosen);
void RegisterStats(CLI::App& app, Action* chosen);
void RegisterBench(CLI::App& app, Action* chosen);
void RegisterImport(CLI::App& app, Action* chosen);
void RegisterTestModel(CLI::App& app, Action* chosen);
void RegisterDemo(CLI::App& app, Action* chosen);
void RegisterDoctor(CLI::App& app, Action* chosen);
void RegisterConfig(CLI::App& app, Action* chosen);

}  // namespace ac::app
