// Which file or folder a --model argument means.
//
// A path that exists is taken as it is; otherwise a name is looked up under models/ in the home
// folder (NAME, NAME.gguf). Without a name: the built-in model, made on first use.
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

// Names under models/ that ResolveModel accepts.
std::vector<std::string> ListModels(const Config& config, FileSystem& fs);

}  // namespace ac::app
