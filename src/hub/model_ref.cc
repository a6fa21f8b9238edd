#include "hub/model_ref.h"

#include <algorithm>

#include "http/url.h"

namespace ac::hub {
namespace {

constexpr CatalogEntry kCatalog[] = {
    {"qwen2.5-coder-0.5b", "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF:q4_k_m",
     "0.4 GB, quick answers on any machine"},
    {"qwen2.5-coder-1.5b", "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF:q4_k_m", "1.1 GB, small edits"},
    {"qwen2.5-coder-7b", "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF:q4_k_m", "4.7 GB, a good start"},
    {"qwen3-8b", "Qwen/Qwen3-8B-GGUF:q4_k_m", "5.0 GB, thinks, uses tools well"},
    {"hermes-3-8b", "NousResearch/Hermes-3-Llama-3.1-8B-GGUF:Q4_K_M", "4.9 GB, trained for tools"},
    {"qwen3-coder-30b", "unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF:Q4_K_M",
     "18.6 GB, the one for coding agents"},
};

Status BadRef(std::string_view text) {
  std::string message = "[hub] \"" + std::string(text) +
                        "\" is no model: name a repository (owner/name, owner/name:Q4_K_M), the "
                        "URL of a file, or one of";
  for (const CatalogEntry& entry : kCatalog) message.append(" ").append(entry.name);
  return InvalidArgument(message);
}

bool IsNamePart(std::string_view part) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !part.empty() && part != "." && part != ".." &&
         std::all_of(part.begin(), part.end(), fits);
}

// Cuts `*text` before `mark` and returns what stood behind it.
std::string CutAfter(std::string_view* text, char mark) {
  const size_t at = text->find(mark);
  if (at == std::string_view::npos) return {};
  const std::string rest(text->substr(at + 1));
  *text = text->substr(0, at);
  return rest;
}

// "owner/name[/resolve/REVISION/FILE | /tree/REVISION | /blob/REVISION/FILE]"
bool ParseHubPath(std::string_view path, ModelRef* ref) {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return false;
  const size_t end = std::min(path.find('/', slash + 1), path.size());
  ref->repo = std::string(path.substr(0, end));
  if (!IsNamePart(path.substr(0, slash)) || !IsNamePart(path.substr(slash + 1, end - slash - 1))) {
    return false;
  }
  std::string_view rest = path.substr(std::min(end + 1, path.size()));
  if (rest.empty()) return true;
  const std::string below = CutAfter(&rest, '/');  // rest: resolve, blob or tree
  if (rest != "resolve" && rest != "blob" && rest != "tree") return false;
  std::string_view revision = below;
  ref->file = CutAfter(&revision, '/');
  ref->revision = std::string(revision);
  return IsNamePart(revision) && ref->file.find("..") == std::string::npos;
}

Result<ModelRef> ParseUrl(std::string_view text, std::string_view hub) {
  AC_ASSIGN_OR_RETURN(const http::Url url, http::Url::Parse(text));
  ModelRef ref;
  const Result<http::Url> own = http::Url::Parse(hub);
  std::string_view path = url.target;
  path = path.substr(0, path.find_first_of("?#"));
  if (own.ok() && own->Origin() == url.Origin() && path.starts_with('/')) {
    path.remove_prefix(1);
    while (path.ends_with('/')) path.remove_suffix(1);
    if (ParseHubPath(path, &ref)) return ref;
    return BadRef(text);
  }
  ref = {};
  ref.url = std::string(text);
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (!name.ends_with(".gguf") || !IsNamePart(name)) {
    return InvalidArgument("[hub] " + url.Redacted() +
                           " does not name a .gguf file; a folder model is pulled by its "
                           "repository, owner/name");
  }
  return ref;
}

}  // namespace

std::span<const CatalogEntry> Catalog() { return kCatalog; }

Result<ModelRef> ParseModelRef(std::string_view text, std::string_view hub) {
  for (const CatalogEntry& entry : kCatalog) {
    if (entry.name == text) return ParseModelRef(entry.ref, hub);
  }
  if (text.starts_with("https://") || text.starts_with("http://")) return ParseUrl(text, hub);
  ModelRef ref;
  std::string_view rest = text;
  const bool has_quant = rest.find(':') != std::string_view::npos;
  ref.quant = CutAfter(&rest, ':');
  const bool has_revision = rest.find('@') != std::string_view::npos;
  if (has_revision) ref.revision = CutAfter(&rest, '@');
  const size_t slash = rest.find('/');
  ref.repo = std::string(rest);
  if (slash == std::string_view::npos || !IsNamePart(rest.substr(0, slash)) ||
      !IsNamePart(rest.substr(slash + 1)) || (has_quant && !IsNamePart(ref.quant)) ||
      !IsNamePart(ref.revision)) {
    return BadRef(text);
  }
  return ref;
}

}  // namespace ac::hub
