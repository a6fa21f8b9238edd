#include "gateway/server_tools.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace ac::gateway {
namespace {

chat::ChatRequest Offering() {
  chat::ChatRequest request;
  request.messages = {{chat::Role::kUser, {{.value = chat::Text{"see https://a.example/x/"}}}}};
  request.tools = {{.name = "Bash", .input_schema = "{}"},
                   {.name = "web_search",
                    .type = "web_search_20250305",
                    .json = R"({"type":"web_search_20250305","name":"web_search","max_uses":2})"},
                   {.name = "web_fetch",
                    .type = "web_fetch_20250910",
                    .json = R"({"type":"web_fetch_20250910","name":"web_fetch","max_uses":99,
                   "allowed_domains":["a.example"],"max_content_tokens":100})"}};
  return request;
}

TEST(ServerTools, WhatIsRunHereBecomesAnOrdinaryTool) {
  chat::ChatRequest request = Offering();
  const OfferedTools offered = TakeServerTools(true, true, &request);
  ASSERT_EQ(offered.size(), 2u);
  EXPECT_EQ(offered.at("web_search").uses_left, 2);
  EXPECT_EQ(offered.at("web_fetch").uses_left, 20);
  EXPECT_EQ(offered.at("web_fetch").rules.allowed_domains, std::vector<std::string>{"a.example"});
  EXPECT_EQ(offered.at("web_fetch").rules.max_text_bytes, 400u);
  for (const chat::ToolSpec& tool : request.tools) {
    EXPECT_EQ(tool.type, "") << tool.name;
    EXPECT_TRUE(json::Parse(tool.input_schema).ok()) << tool.name;
  }
}

TEST(ServerTools, WhatIsSwitchedOffStaysAsItIs) {
  chat::ChatRequest request = Offering();
  const OfferedTools offered = TakeServerTools(false, true, &request);
  EXPECT_EQ(offered.size(), 1u);
  EXPECT_EQ(request.tools[1].type, "web_search_20250305");
  request = Offering();
  EXPECT_TRUE(TakeServerTools(false, false, &request).empty());
  request.tools.resize(1);
  EXPECT_TRUE(TakeServerTools(true, true, &request).empty());
}

TEST(ServerTools, ServerBlocksOfTheHistoryBecomeOrdinaryTurns) {
  chat::ChatRequest request = Offering();
  const auto use = [](const char* name, const char* input) {
    return chat::Block{.value = chat::ServerToolUse{"srvtoolu_1", name, input}};
  };
  const auto result = [](const char* type, const char* content) {
    return chat::Block{.value = chat::ServerToolResult{type, "srvtoolu_1", content}};
  };
  request.messages.push_back(
      {chat::Role::kAssistant,
       {{.value = chat::Text{"let me look"}},
        use("web_search", R"({"query":"q"})"),
        result("web_search_tool_result",
               R"([{"title":"A","url":"u","encrypted_content":"excerpt"}])"),
        use("web_fetch", R"({"url":"u"})"),
        result("web_fetch_tool_result",
               R"({"type":"web_fetch_result","url":"u","content":{"type":"document","title":"T",
                   "source":{"type":"text","media_type":"text/plain","data":"page"}}})"),
        {.value = chat::Text{"found"}}}});
  TakeServerTools(true, true, &request);
  ASSERT_EQ(request.messages.size(), 6u);
  EXPECT_EQ(request.messages[1].blocks.size(), 2u);
  EXPECT_NE(request.messages[1].blocks[1].As<chat::ToolUse>(), nullptr);
  const auto read = [&](size_t message) {
    const auto* told = request.messages[message].blocks[0].As<chat::ToolResult>();
    return told == nullptr ? "" : chat::JoinText(told->content, "");
  };
  EXPECT_EQ(read(2), "A\nu\nexcerpt\n\n");
  EXPECT_EQ(request.messages[3].role, chat::Role::kAssistant);
  EXPECT_EQ(read(4), "T\nu\n\npage");
  EXPECT_EQ(request.messages[5].role, chat::Role::kAssistant);
}

TEST(ServerTools, AddressesAreKnownWhenOthersNamedThem) {
  chat::ChatRequest request = Offering();
  for (const char* url : {"https://a.example/x", "http://a.example/x/", "https://a.example/x#part",
                          "https://a.example"}) {
    EXPECT_TRUE(IsAddressKnown(request, url)) << url;
  }
  for (const char* url : {"https://a.example/y", "https://b.example/", "", "https://"}) {
    EXPECT_FALSE(IsAddressKnown(request, url)) << url;
  }
  request.messages.push_back(
      {chat::Role::kAssistant, {{.value = chat::Text{"I will ask https://b.example/?key=1"}}}});
  EXPECT_FALSE(IsAddressKnown(request, "https://b.example/?key=1")) << "the model's own words";
  chat::ToolResult listed{.tool_use_id = "t"};
  listed.content = {{.value = chat::Text{"- https://b.example/page"}}};
  request.messages.push_back({chat::Role::kUser, {{.value = std::move(listed)}}});
  EXPECT_TRUE(IsAddressKnown(request, "https://b.example/page"));
}

}  // namespace
}  // namespace ac::gateway
