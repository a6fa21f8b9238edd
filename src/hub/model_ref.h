// What a user means by `models pull NAME|URL`.
//
//   qwen2.5-coder-7b                       a name of our short list
//   owner/repo                             a repository of the model hub
//   owner/repo:Q4_K_M                      one quantisation of it
//   owner/repo@revision                    a branch, tag or commit
//   https://hub/owner/repo[/...]           the same, copied from the browser
//   https://host/path/file.gguf            any one file
//
// Pure text; nothing is looked up here.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ac::hub {

struct ModelRef {
  std::string repo;  // "owner/name"; empty: `url` is a file anywhere
  std::string revision = "main";
  std::string quant;  // "Q4_K_M"; empty: the usual one
  std::string file;   // one file of the repository; empty: what a model needs
  std::string url;    // of a file outside any hub
};

// `hub` is the address of the model hub in use. kInvalidArgument says which forms there are.
Result<ModelRef> ParseModelRef(std::string_view text, std::string_view hub);

struct CatalogEntry {
  std::string_view name;
  std::string_view ref;   // as ParseModelRef takes it
  std::string_view note;  // size on disk and what it is good for
};
std::span<const CatalogEntry> Catalog();

}  // namespace ac::hub
