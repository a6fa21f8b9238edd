// Which file or folder a --model argument means.
//
// A path that exists is taken as it is; otherwise a name is looked up under models/ in the home
// folder (NAME, NAME.gguf). "starter" is the trained model that comes with the program, "built-in"
// the one with random weights, made on first use. Without a name: the starter where it is
// installed, else the built-in one.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"
#include "base/file_system.h"
#include "base/status.h"

namespace ac::app {

struct ResolvedModel {
  std::string path;
  std::string name;       // how clients see it
  bool built_in = false;  // random weights: answers make no sense
};

// Failure: kNotFound that lists what exists and says how to get a model.
Result<ResolvedModel> ResolveModel(const Config& config, const std::string& requested,
                                   FileSystem& fs);

// The starter model that belongs to a program in that folder (its source tree or installation);
// empty when there is none.
std::string FindStarterModel(const std::string& program_folder, FileSystem& fs);

// Names under models/ that ResolveModel accepts.
std::vector<std::string> ListModels(const Config& config, FileSystem& fs);

}  // namespace ac::app
