#include "shape.h"

#include "json/json.h"

namespace ac::starter {

Result<weights::ModelConfig> ReadShape(const std::string& path, FileSystem& fs) {
  AC_ASSIGN_OR_RETURN(const std::string text, ReadFile(fs, path));
  AC_ASSIGN_OR_RETURN(const json::Value shape, json::Parse(text));
  std::string missing;
  const auto number = [&](const char* key) {
    const auto value = json::GetInt(shape, key);
    if (!value || *value < 1 || *value > 1 << 24) missing = key;
    return static_cast<int>(value.value_or(1));
  };
  weights::ModelConfig c;
  c.architecture = "qwen3";
  c.name = "anyclaude starter";
  c.n_layers = number("layers");
  c.d_model = number("width");
  c.n_heads = number("heads");
  c.n_kv_heads = number("kv_heads");
  c.head_dim = number("head_width");
  c.d_ff = number("mlp_width");
  c.vocab_size = number("vocabulary");
  c.context_length = number("context");
  c.sliding_window = number("window");
  c.rope.base = static_cast<float>(number("rope_base"));
  c.rope.dims = c.head_dim;
  c.norm_eps = 1e-6f;
  if (!missing.empty()) {
    return InvalidArgument("[starter] " + path + ": \"" + missing + "\" must be a positive number");
  }
  if (c.head_dim % 2 != 0 || c.n_heads % c.n_kv_heads != 0) {
    return InvalidArgument("[starter] " + path +
                           ": head_width must be even and heads a multiple of kv_heads");
  }
  return c;
}

}  // namespace ac::starter
