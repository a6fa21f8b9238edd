// What one family of models adds to the shared layers: which tensors it has and in which order a
// layer uses them.
//
// An architecture owns the views of its tensors. Layer() is called for each layer of each block of
// tokens, by the thread that runs Model::Forward. Adding one:
// docs/guides/adding_an_architecture.md.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "model/layers.h"
#include "model/loader.h"

namespace ac::model {

class Architecture {
 public:
  virtual ~Architecture() = default;

  // Fetches every tensor of the layers; problems show in tensors.status().
  virtual void Load(TensorLoader& tensors) = 0;
  // x [step.tokens(), d_model] in, the same with the layer's results added out.
  virtual void Layer(int index, Step& step, float* x) const = 0;
};

struct ArchitectureEntry {
  std::string_view name;
  std::unique_ptr<Architecture> (*create)();
};

std::span<const ArchitectureEntry> Architectures();
// Null when the name is unknown.
const ArchitectureEntry* FindArchitecture(std::string_view name);

}  // namespace ac::model
