// How a subcommand joins the program: one file in commands/, one line in commands/all.h.
//
// A command registers its flags with CLI11 and an action to run after parsing. Actions print
// results on stdout, everything else on stderr, and return a Status: main turns it into the exit
// code (0 ok, 1 failed, 2 usage).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "app/config.h"
#include "base/status.h"

namespace ac::app {

// What every action gets.
struct CommandContext {
  Config config;
  std::string program_path;
};

using Action = std::function<Status(CommandContext&)>;

// Adds a subcommand whose parse stores `action` into *chosen. The options object lives inside the
// returned app's callback, so commands keep their flags in a shared_ptr.
inline CLI::App* AddCommand(CLI::App& parent, Action* chosen, const std::string& name,
                            const std::string& help, Action action) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->callback([chosen, action = std::move(action)] { *chosen = action; });
  return command;
}

// Shared by the commands that open a model.
inline void AddModelOption(CLI::App* command, std::string* model) {
  command->add_option("--model,-m", *model,
                      "GGUF file, safetensors/MLX directory, or a name under models/");
}

inline void AddKvTypeOption(CLI::App* command, std::string* type) {
  command->add_option("--kv-type", *type, "KV cache element type: auto, bf16, q8 or f32");
}

// Shared by the commands that guess ahead. What was given becomes settings.
struct SpeculationFlags {
  std::string mode;
  std::string draft_model;

  Status Apply(Config* config) const {
    if (!mode.empty()) AC_RETURN_IF_ERROR(config->SetFlag("speculation", mode));
    if (draft_model.empty()) return OkStatus();
    return config->SetFlag("draft_model", draft_model);
  }
};

inline void AddSpeculationOptions(CLI::App* command, SpeculationFlags* flags) {
  command->add_option(
      "--speculation", flags->mode,
      "Guess tokens ahead, which never changes the text: auto, ngram, draft or off");
  command->add_option("--draft-model", flags->draft_model,
                      "A smaller model with the same vocabulary that guesses ahead");
}

}  // namespace ac::app
