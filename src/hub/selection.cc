#include "hub/selection.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

namespace ac::hub {
namespace {

// Tried in this order when the user names no quantisation: the best known trade first.
constexpr std::array<std::string_view, 6> kUsual = {"q4_k_m", "q4_0", "q5_k_m",
                                                    "q4_k_s", "q8_0", "f16"};
constexpr std::array<std::string_view, 8> kFolderFiles = {
    "config.json",           "generation_config.json",      "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json",     "chat_template.jinja",
    "chat_template.json",    "model.safetensors.index.json"};

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view FileName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "dir/x-00001-of-00003.gguf" and its siblings are one model: everything before the part number.
std::string ModelStem(std::string_view path) {
  std::string stem(path.substr(0, path.size() - std::string_view(".gguf").size()));
  const size_t of = stem.rfind("-of-");
  if (of == std::string::npos || of < 6) return stem;
  const auto digits = [&](size_t begin, size_t end) {
    return begin < end && std::all_of(stem.begin() + static_cast<long>(begin),
                                      stem.begin() + static_cast<long>(end),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
  };
  const size_t part = stem.rfind('-', of - 1);
  if (part == std::string::npos || !digits(part + 1, of) || !digits(of + 4, stem.size())) {
    return stem;
  }
  return stem.substr(0, part);
}

// Whether `stem` names this quantisation: bounded by separators, so that "q4_0" is not "iq4_0".
bool HasQuant(std::string_view stem, std::string_view quant) {
  const std::string text = Lower(stem);
  const std::string wanted = Lower(quant);
  for (size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) {
    const auto boundary = [&](size_t i) {
      return i >= text.size() || text[i] == '-' || text[i] == '.' || text[i] == '/' ||
             text[i] == '_';
    };
    const size_t end = at + wanted.size();
    // "q4_k" inside "q4_k_m" is another type: an underscore continues a type's name.
    const bool ends = end == text.size() || (boundary(end) && text[end] != '_');
    if ((at == 0 || boundary(at - 1)) && ends) return true;
  }
  return false;
}

using Models = std::map<std::string, std::vector<RemoteFile>>;  // by stem

Models GgufModels(const std::vector<RemoteFile>& all) {
  Models models;
  for (const RemoteFile& file : all) {
    const bool helper = Lower(FileName(file.path)).starts_with("mmproj");  // of vision models
    if (file.path.ends_with(".gguf") && !helper) models[ModelStem(file.path)].push_back(file);
  }
  return models;
}

Status NothingFits(const ModelRef& ref, const Models& models) {
  std::string message = "[hub] " + ref.repo + " has no ";
  message += ref.quant.empty() ? "usual quantisation" : "\"" + ref.quant + "\"";
  message += "; name one of these behind a colon:";
  for (const auto& [stem, files] : models) message.append(" ").append(FileName(stem));
  return NotFound(message);
}

const Models::value_type* FindModel(const Models& models, std::string_view quant) {
  // A whole name ("repo:model-file") is the clearest wish.
  for (const auto& model : models) {
    if (Lower(FileName(model.first)) == Lower(quant)) return &model;
  }
  for (const auto& model : models) {
    if (HasQuant(model.first, quant)) return &model;
  }
  return nullptr;
}

Result<Selection> SelectGguf(const ModelRef& ref, const Models& models) {
  const Models::value_type* chosen = nullptr;
  if (!ref.quant.empty()) {
    chosen = FindModel(models, ref.quant);
  } else if (models.size() == 1) {
    chosen = &*models.begin();
  } else {
    for (size_t i = 0; chosen == nullptr && i < kUsual.size(); ++i) {
      chosen = FindModel(models, kUsual[i]);
    }
  }
  if (chosen == nullptr) return NothingFits(ref, models);
  return Selection{.name = std::string(FileName(chosen->first)), .files = chosen->second};
}

Result<Selection> SelectFolder(const ModelRef& ref, const std::vector<RemoteFile>& all) {
  Selection selection{.name = std::string(FileName(ref.repo)), .is_folder = true};
  bool has_weights = false;
  bool has_config = false;
  for (const RemoteFile& file : all) {
    if (file.path.find('/') != std::string::npos) continue;  // other formats live in subfolders
    const bool weights = file.path.ends_with(".safetensors");
    has_weights = has_weights || weights;
    has_config = has_config || file.path == "config.json";
    if (weights ||
        std::find(kFolderFiles.begin(), kFolderFiles.end(), file.path) != kFolderFiles.end()) {
      selection.files.push_back(file);
    }
  }
  if (!has_weights || !has_config) {
    return NotFound("[hub] " + ref.repo +
                    " holds neither GGUF files nor config.json with safetensors: not a model the "
                    "engine can open");
  }
  return selection;
}

}  // namespace

Result<Selection> SelectFiles(const ModelRef& ref, const std::vector<RemoteFile>& all) {
  if (!ref.file.empty()) {
    for (const RemoteFile& file : all) {
      if (file.path != ref.file || !file.path.ends_with(".gguf")) continue;
      return SelectGguf({.repo = ref.repo, .quant = std::string(FileName(ModelStem(file.path)))},
                        GgufModels(all));
    }
    return NotFound("[hub] " + ref.repo + " has no model file " + ref.file);
  }
  const Models models = GgufModels(all);
  if (!models.empty()) return SelectGguf(ref, models);
  if (!ref.quant.empty()) {
    return NotFound("[hub] " + ref.repo + " has no GGUF files, so \":" + ref.quant +
                    "\" names nothing; leave it out to get the folder");
  }
  return SelectFolder(ref, all);
}

}  // namespace ac::hub
