#include "model/architecture.h"
#include "model/model.h"

namespace ac::model {

std::unique_ptr<Architecture> CreateLlama();
std::unique_ptr<Architecture> CreateQwen2();
std::unique_ptr<Architecture> CreateQwen3();
std::unique_ptr<Architecture> CreateQwen3Moe();

namespace {

constexpr ArchitectureEntry kArchitectures[] = {
    {"llama", CreateLlama}, {"mistral", CreateLlama},     {"qwen2", CreateQwen2},
    {"qwen3", CreateQwen3}, {"qwen3moe", CreateQwen3Moe},
};

}  // namespace

std::span<const ArchitectureEntry> Architectures() { return kArchitectures; }

const ArchitectureEntry* FindArchitecture(std::string_view name) {
  for (const ArchitectureEntry& entry : kArchitectures) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::vector<std::string_view> SupportedArchitectures() {
  std::vector<std::string_view> names;
  for (const ArchitectureEntry& entry : kArchitectures) names.push_back(entry.name);
  return names;
}

}  // namespace ac::model
