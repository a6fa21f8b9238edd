// Which files of a repository make a model that the engine opens, and what it is called here.
//
// Pure: a listing in, a choice out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "hub/model_ref.h"

namespace ac::hub {

struct RemoteFile {
  std::string path;  // within the repository
  uint64_t size = 0;
  std::string sha256;    // of large files; empty when the hub does not say
  std::string git_sha1;  // of small ones, as git names a blob
};

struct Selection {
  std::string name;  // the file's stem, or the folder's name
  bool is_folder = false;
  std::vector<RemoteFile> files;
};

// GGUF files win over folders of safetensors. kNotFound lists what there is to choose from.
Result<Selection> SelectFiles(const ModelRef& ref, const std::vector<RemoteFile>& all);

}  // namespace ac::hub
