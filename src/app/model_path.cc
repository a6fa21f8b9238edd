#include "app/model_path.h"

#include <filesystem>
#include <system_error>

#include "weights/synth.h"

namespace ac::app {
namespace {

// Made in a moment; its template knows tool calls, so every client path works.
constexpr std::string_view kBuiltInShape = "built-in";

constexpr std::string_view kStarter = "starter";

std::string ProgramFolder() {
  std::error_code failed;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? std::string() : program.parent_path().string();
}

std::string WithoutSuffix(std::string name) {
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  return name;
}

// Files that could be opened: GGUF files (the first part of split ones) and model folders.
bool LooksLikeModel(const std::string& path, const FileInfo& info, FileSystem& fs) {
  if (info.is_directory) return fs.Exists(JoinPath(path, "config.json"));
  if (!path.ends_with(".gguf")) return false;
  const size_t part = path.rfind("-of-");
  return part == std::string::npos || path.substr(0, part).ends_with("-00001");
}

Result<ResolvedModel> BuiltInModel(const Config& config, FileSystem& fs) {
  const std::string directory = config.HomePath("built-in");
  const std::string path = JoinPath(directory, std::string(kBuiltInShape) + ".gguf");
  ResolvedModel model{.path = path, .name = std::string(kBuiltInShape), .built_in = true};
  if (fs.Exists(path)) return model;
  AC_RETURN_IF_ERROR(fs.CreateDirectories(directory));
  weights::SynthSpec spec;
  spec.shape = std::string(kBuiltInShape);
  spec.recipe = weights::Recipe::kQ8_0;
  AC_RETURN_IF_ERROR(weights::Synthesize(spec, path, fs, [](uint64_t, uint64_t) {}));
  return model;
}

}  // namespace

std::string FindStarterModel(const std::string& program_folder, FileSystem& fs) {
  // build/<preset>/bin in a source tree, bin in an installation.
  for (const char* up : {"/../../../", "/../../", "/../share/anyclaude/"}) {
    const std::string path = program_folder + up + "models/starter/starter.gguf";
    if (!program_folder.empty() && fs.Exists(path)) return path;
  }
  return "";
}

std::vector<std::string> ListModels(const Config& config, FileSystem& fs) {
  const std::string directory = config.HomePath("models");
  std::vector<std::string> models;
  const Result<std::vector<std::string>> names = fs.List(directory);
  if (!names.ok()) return models;
  for (const std::string& name : *names) {
    const std::string path = JoinPath(directory, name);
    const Result<FileInfo> info = fs.Stat(path);
    if (info.ok() && LooksLikeModel(path, *info, fs)) models.push_back(WithoutSuffix(name));
  }
  return models;
}

Result<ResolvedModel> ResolveModel(const Config& config, const std::string& requested,
                                   FileSystem& fs) {
  const std::string& wanted = requested.empty() ? config.Text("model") : requested;
  if (wanted.empty() || wanted == kStarter) {
    const std::string starter = FindStarterModel(ProgramFolder(), fs);
    if (!starter.empty()) return ResolvedModel{.path = starter, .name = std::string(kStarter)};
  }
  if (wanted.empty() || wanted == kBuiltInShape) return BuiltInModel(config, fs);
  const std::string name = WithoutSuffix(BaseName(wanted));
  if (fs.Exists(wanted)) return ResolvedModel{.path = wanted, .name = name};
  if (wanted.find('/') == std::string::npos) {
    const std::string path = JoinPath(config.HomePath("models"), wanted);
    if (fs.Exists(path)) return ResolvedModel{.path = path, .name = name};
    if (fs.Exists(path + ".gguf")) return ResolvedModel{.path = path + ".gguf", .name = name};
  }
  if (wanted == kStarter) {
    return NotFound(
        "[models] no starter model beside the program (models/starter/starter.gguf); `make "
        "starter` "
        "trains it, `--model built-in` serves random weights at once");
  }
  std::string message = "[models] no model \"" + wanted + "\": no such file or folder";
  const std::vector<std::string> known = ListModels(config, fs);
  if (known.empty()) {
    message += ", and " + config.HomePath("models") + " holds none";
  } else {
    message += "; under " + config.HomePath("models") + " there are:";
    for (const std::string& model : known) message += " " + model;
  }
  return NotFound(
      message +
      ". Download a GGUF file or a safetensors/MLX folder and name its path, or make a "
      "test model with: anyclaude models synth --shape tiny-qwen3 --quant q8_0 -o t.gguf");
}

}  // namespace ac::app
