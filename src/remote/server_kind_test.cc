#include "remote/server_kind.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "http/url.h"
#include "remote/discovery.h"

namespace ac::remote {
namespace {

Lookup Variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto it = values.find(name);
    if (it == values.end()) return std::nullopt;
    return it->second;
  };
}

TEST(ServerKindTest, EveryRowIsComplete) {
  std::set<std::string_view> modes;
  for (const ServerKind& kind : ServerKinds()) {
    EXPECT_TRUE(modes.insert(kind.mode).second) << kind.mode;
    EXPECT_FALSE(kind.title.empty()) << kind.mode;
    EXPECT_FALSE(kind.start_hint.empty()) << kind.mode;
    EXPECT_FALSE(kind.variables.empty()) << kind.mode;
    EXPECT_TRUE(kind.default_url.empty() || http::Url::Parse(kind.default_url).ok()) << kind.mode;
    EXPECT_TRUE(kind.cloud || kind.mode == "custom" || !kind.probe_mark.empty()) << kind.mode;
  }
  for (const char* mode : {"local", "claude", "lmstudio", "mlx-lm", "mlx-textgen", "mlx-omni",
                           "ollama", "llama.cpp", "vllm", "sglang", "tensorrt-llm", "openai",
                           "openrouter", "gemini", "custom", "cluster", "auto"}) {
    const auto all = AllModes();
    EXPECT_NE(std::find(all.begin(), all.end(), mode), all.end()) << mode;
  }
}

TEST(ServerKindTest, TheStorysVariablesWork) {
  const auto url = [](const char* mode, const char* name) {
    return FromVariables(*FindServerKind(mode), {"_URL", "_BASE_URL"}, Variables({{name, "v"}}));
  };
  EXPECT_EQ(url("lmstudio", "LMSTUDIO_URL"), "v");
  EXPECT_EQ(url("mlx-lm", "MLX_LM_URL"), "v");
  EXPECT_EQ(url("mlx-lm", "MLX_URL"), "v");
  EXPECT_EQ(url("mlx-omni", "MLX_OMNI_URL"), "v");
  EXPECT_EQ(url("vllm-mlx", "VLLM_MLX_URL"), "v");
  EXPECT_EQ(url("openrouter", "OPENROUTER_BASE_URL"), "v");
  EXPECT_EQ(url("custom", "LOCAL_URL"), "v");
  EXPECT_EQ(url("lmstudio", "MLX_URL"), std::nullopt);
  EXPECT_EQ(ModeForOldName("mlx"), "mlx-lm");
  EXPECT_EQ(ModeForOldName("mlx-cluster"), "cluster");
  EXPECT_EQ(ModeForOldName("lmstudio"), std::nullopt);
}

TEST(ServerKindTest, UrlsAreTakenAsPeopleWriteThem) {
  const ServerKind& kind = *FindServerKind("lmstudio");
  for (const char* text : {"http://mac:1234", "http://mac:1234/", "http://mac:1234/v1", "mac:1234",
                           "http://mac:1234/v1/", "http://mac:1234/v1/chat/completions"}) {
    EXPECT_EQ(NormalizeBaseUrl(kind, text), "http://mac:1234/v1") << text;
  }
  EXPECT_EQ(NormalizeBaseUrl(kind, ""), "http://127.0.0.1:1234/v1");
  EXPECT_EQ(NormalizeBaseUrl(*FindServerKind("custom"), "https://h/api/paas/v4"),
            "https://h/api/paas/v4");
  EXPECT_EQ(NormalizeBaseUrl(*FindServerKind("custom"), ""), "");
}

TEST(DiscoveryTest, LoadedModelsComeFirstAndEmbeddingsNever) {
  const auto models = ReadModelList(R"({"data":[{"id":"e","type":"embeddings"},
    {"id":"far","state":"not-loaded","max_context_length":9},
    {"id":"near","state":"loaded","max_context_length":99,"loaded_context_length":50}]})");
  ASSERT_TRUE(models.ok());
  ASSERT_EQ(models->size(), 2u);
  EXPECT_EQ((*models)[0].id, "near");
  EXPECT_EQ((*models)[0].context_window, 50) << "what is loaded, not what would be possible";
  EXPECT_FALSE(ReadModelList("<html>").ok());
  EXPECT_FALSE(ReadModelList("{}").ok());
}

TEST(DiscoveryTest, TheModelIsTheConfiguredOneElseTheClientsElseTheLoadedOne) {
  const std::vector<api::ModelInfo> models = {{.id = "a"}, {.id = "b"}};
  const ServerKind& own = *FindServerKind("lmstudio");
  EXPECT_EQ(PickModel(own, "set", "b", models), "set");
  EXPECT_EQ(PickModel(own, "", "anthropic-local-b", models), "b");
  EXPECT_EQ(PickModel(own, "", "claude-haiku-5-5", models), "a");
  EXPECT_EQ(PickModel(*FindServerKind("openrouter"), "", "x/y", models), "x/y");
}

TEST(DiscoveryTest, AFolderIsRefusedWhereOnlyHubIdsWork) {
  const ServerKind& omni = *FindServerKind("mlx-omni");
  EXPECT_TRUE(CheckModelName(omni, "mlx-community/Qwen3-4B-4bit").ok());
  const Status refused = CheckModelName(omni, "/models/qwen3");
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_NE(refused.message().find("hub id"), std::string::npos);
  EXPECT_NE(refused.message().find("MLX_OMNI_MODEL"), std::string::npos);
  EXPECT_TRUE(CheckModelName(*FindServerKind("mlx-lm"), "/models/qwen3").ok());
}

}  // namespace
}  // namespace ac::remote
