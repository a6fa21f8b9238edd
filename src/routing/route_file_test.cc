#include "routing/route_file.h"

#include <gtest/gtest.h>

namespace ac::routing {
namespace {

TEST(RouteFileTest, ReadsBackendsRulesAndNamedRoutes) {
  const auto file = ReadRouteFile(R"({
    "backends": {
      "ollama": {},
      "mac": {"mode": "lmstudio", "url": "http://mac:1234", "model": "q", "max_concurrent": 2},
      "cloud": {"mode": "openrouter", "api_key": "$KEY", "price": {"input": 3, "output": 15},
                "usd_per_day": 5},
      "pool": {"mode": "cluster", "replicas": [{"url": "http://a:1"}, {"mode": "vllm",
               "url": "http://b:1"}]}},
    "default": ["mac", "cloud,big"],
    "rules": [{"name": "r", "if": {"tier": ["haiku"], "tokens_over": 5, "tools": true,
               "wait_over_s": 20, "price_under_usd": 0.05}, "use": "cloud"}],
    "routes": {"longContext": "pool", "longContextThreshold": 9}})");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->backends.size(), 4u);
  EXPECT_EQ(file->backends[0].mode, "ollama");
  EXPECT_EQ(file->backends[2].price->cached, 3) << "without a cached price, cached costs as much";
  ASSERT_EQ(file->backends[3].replicas.size(), 2u);
  EXPECT_EQ(file->backends[3].replicas[0].mode, "custom");
  EXPECT_EQ(file->rules.by_default, (std::vector<Target>{{"mac", ""}, {"cloud", "big"}}));
  ASSERT_EQ(file->rules.rules.size(), 2u);
  EXPECT_EQ(file->rules.rules[0].condition.wait_over_s, 20);
  EXPECT_EQ(file->rules.rules[1].condition.tokens_over, 9);
}

TEST(RouteFileTest, MistakesAreNamedWithTheirPlace) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"[]", "expected an object"},
      {"{", "line 1"},
      {"{}", "backends: none is named"},
      {R"({"backends":{"a":{}}})", "backends.a.mode: there is no mode \"a\""},
      {R"({"backends":{"ollama":{"urll":"x"}}})",
       "backends.ollama.urll: unknown; the fields here are"},
      {R"({"backends":{"ollama":{"url":7}}})", "backends.ollama.url: expected a text"},
      {R"({"backends":{"ollama":{}},"default":"x"})", "no backend is called \"x\""},
      {R"({"backends":{"ollama":{}},"rules":[{"use":"ollama","if":{"tokens_over":"many"}}]})",
       "rules.0.if.tokens_over: expected a whole number"},
      {R"({"backends":{"ollama":{}},"rules":[{"if":{}}]})", "rules.0.use: names no backend"},
      {R"({"backends":{"ollama":{}},"routes":{"thinking":"ollama"}})", "routes.thinking: unknown"},
      {R"({"backends":{"c":{"mode":"cluster"}}})", "a cluster needs at least one"},
      {R"({"backends":{"ollama":{"usd_per_day":1}}})", "needs \"price\""},
  };
  for (const auto& [text, message] : cases) {
    const auto file = ReadRouteFile(text);
    ASSERT_FALSE(file.ok()) << text;
    EXPECT_NE(file.status().message().find(message), std::string::npos)
        << text << " -> " << file.status();
  }
}

TEST(CcrImportTest, AVersion2ConfigBecomesAFileOfOurs) {
  std::vector<std::string> notes;
  const auto imported = ImportClaudeCodeRouter(R"({
    "APIKEY": "mine", "LOG": true, "CUSTOM_ROUTER_PATH": "./r.js",
    "Providers": [
      {"name": "openrouter", "api_base_url": "https://openrouter.ai/api/v1/chat/completions",
       "api_key": "$OPENROUTER_API_KEY", "models": ["google/gemini-2.5-pro"],
       "transformer": {"use": ["openrouter"]}},
      {"name": "deepseek", "api_base_url": "https://api.deepseek.com/chat/completions",
       "api_key": "sk-x", "models": ["deepseek-chat", "deepseek-reasoner"]},
      {"name": "ollama", "api_base_url": "http://localhost:11434/v1/chat/completions",
       "api_key": "ollama", "models": ["qwen2.5-coder:latest"]},
      {"name": "gemini", "api_base_url": "https://generativelanguage.googleapis.com/v1beta/models/",
       "api_key": "sk-y", "models": ["gemini-2.5-flash"]}],
    "Router": {"default": "deepseek,deepseek-chat", "background": "ollama,qwen2.5-coder:latest",
      "think": "deepseek,deepseek-reasoner", "longContext": "openrouter,google/gemini-2.5-pro",
      "longContextThreshold": 60000, "webSearch": "gemini,gemini-2.5-flash", "image": ""}})",
                                               &notes);
  ASSERT_TRUE(imported.ok()) << imported.status();
  const auto file = ReadRouteFile(*imported);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->backends.size(), 4u);
  EXPECT_EQ(file->backends[0].mode, "openrouter");
  EXPECT_EQ(file->backends[0].api_key, "$OPENROUTER_API_KEY");
  EXPECT_EQ(file->backends[1].mode, "custom");
  EXPECT_EQ(file->backends[1].url, "https://api.deepseek.com/v1");
  EXPECT_EQ(file->backends[2].mode, "ollama");
  EXPECT_EQ(file->backends[3].url, "") << "its own address is another protocol";
  EXPECT_EQ(file->rules.by_default, (std::vector<Target>{{"deepseek", "deepseek-chat"}}));
  EXPECT_EQ(file->rules.rules.size(), 4u);
  std::string all;
  for (const std::string& note : notes) all += note + "\n";
  EXPECT_NE(all.find("transformers"), std::string::npos) << all;
  EXPECT_NE(all.find("CUSTOM_ROUTER_PATH"), std::string::npos) << all;
  EXPECT_EQ(all.find("sk-"), std::string::npos) << "notes hold no keys";
}

TEST(CcrImportTest, AnythingElseIsRefused) {
  std::vector<std::string> notes;
  EXPECT_FALSE(ImportClaudeCodeRouter("{}", &notes).ok());
  EXPECT_FALSE(ImportClaudeCodeRouter("// comment\n{}", &notes).ok());
  EXPECT_FALSE(
      ImportClaudeCodeRouter(R"({"Providers":[],"Router":{"default":"x,y"}})", &notes).ok());
}

}  // namespace
}  // namespace ac::routing
