#include "routing/facts.h"

#include <algorithm>

#include "api/api.h"
#include "base/hash.h"
#include "remote/request_shape.h"

namespace ac::routing {
namespace {

constexpr int64_t kBytesPerToken = 4;
constexpr std::string_view kTagOpen = "<CCR-SUBAGENT-MODEL>";
constexpr std::string_view kTagClose = "</CCR-SUBAGENT-MODEL>";
constexpr std::string_view kBillingMark = "x-anthropic-billing-header";
// How agents' prompts introduce their folder.
constexpr std::string_view kFolderMarks[] = {
    "Primary working directory: ", "Working directory: ", "Current working directory: ", "<cwd>"};

bool HasImage(const std::vector<chat::Block>& blocks) {
  return std::any_of(blocks.begin(), blocks.end(), [](const chat::Block& block) {
    const auto* result = block.As<chat::ToolResult>();
    return block.As<chat::Image>() != nullptr || (result != nullptr && HasImage(result->content));
  });
}

std::string FolderIn(const std::vector<chat::Block>& blocks) {
  for (const chat::Block& block : blocks) {
    const auto* text = block.As<chat::Text>();
    if (text == nullptr) continue;
    for (const std::string_view mark : kFolderMarks) {
      const size_t at = text->text.find(mark);
      if (at == std::string::npos) continue;
      const size_t begin = at + mark.size();
      const size_t end = std::min(text->text.find_first_of("\r\n<", begin), text->text.size());
      return text->text.substr(begin, end - begin);
    }
  }
  return {};
}

std::string TaggedTarget(const chat::ChatRequest& request) {
  for (const chat::Block& block : request.system) {
    const auto* text = block.As<chat::Text>();
    if (text == nullptr) continue;
    const size_t open = text->text.find(kTagOpen);
    const size_t close = text->text.find(kTagClose);
    if (open == std::string::npos || close == std::string::npos || close < open) continue;
    return text->text.substr(open + kTagOpen.size(), close - open - kTagOpen.size());
  }
  return {};
}

std::string TierOf(std::string_view model) {
  for (const std::string_view tier : {"haiku", "sonnet", "opus", "fable"}) {
    if (model.find(tier) != std::string_view::npos) return std::string(tier);
  }
  return {};
}

class Chunker {
 public:
  explicit Chunker(size_t chunk_bytes) : chunk_bytes_(chunk_bytes) { chunk_.reserve(chunk_bytes); }

  void Add(std::string_view text) {
    while (!text.empty()) {
      const size_t room = std::min(chunk_bytes_ - chunk_.size(), text.size());
      chunk_.append(text.substr(0, room));
      text.remove_prefix(room);
      if (chunk_.size() < chunk_bytes_) return;
      hashes_.push_back(Hash64(chunk_, hashes_.empty() ? 0 : hashes_.back()));
      chunk_.clear();
    }
  }
  void Add(const std::vector<chat::Block>& blocks) {
    for (const chat::Block& block : blocks) AddBlock(block);
  }
  std::vector<uint64_t> Take() { return std::move(hashes_); }

 private:
  void AddBlock(const chat::Block& block) {
    if (const auto* text = block.As<chat::Text>()) Add(text->text);
    if (const auto* image = block.As<chat::Image>()) Add(image->url + image->data);
    if (const auto* document = block.As<chat::Document>()) Add(document->url + document->data);
    if (const auto* thinking = block.As<chat::Thinking>()) Add(thinking->text);
    if (const auto* call = block.As<chat::ToolUse>()) Add(call->name + call->input);
    if (const auto* result = block.As<chat::ToolResult>()) Add(result->content);
    Add(std::string_view("\x1e", 1));  // where a block ends is part of the prompt
  }

  const size_t chunk_bytes_;
  std::string chunk_;
  std::vector<uint64_t> hashes_;
};

}  // namespace

Facts FactsOf(const chat::ChatRequest& request) {
  Facts facts;
  facts.model = api::ModelIdFromDiscovery(request.model);
  facts.tier = TierOf(facts.model);
  facts.tokens = static_cast<int64_t>(remote::PromptBytes(request)) / kBytesPerToken;
  for (const chat::ToolSpec& tool : request.tools) {
    facts.web_search |= tool.type.starts_with("web_search");
    facts.tools |= tool.type.empty();
  }
  facts.tools &= request.tool_choice.kind != chat::ToolChoice::Kind::kNone;
  facts.thinking = request.thinking.mode == chat::ThinkingConfig::Mode::kEnabled ||
                   request.thinking.mode == chat::ThinkingConfig::Mode::kAdaptive;
  facts.sub_agent = !request.metadata.agent_id.empty();
  facts.path = FolderIn(request.system);
  for (const chat::Message& message : request.messages) {
    facts.images |= HasImage(message.blocks);
    if (facts.path.empty()) facts.path = FolderIn(message.blocks);
  }
  facts.wanted_target = TaggedTarget(request);
  if (facts.wanted_target.empty() && facts.model.find(',') != std::string::npos) {
    facts.wanted_target = facts.model;
  }
  facts.session = request.metadata.session_id + "/" + request.metadata.agent_id;
  return facts;
}

void RemoveSubAgentTag(chat::ChatRequest* request) {
  for (chat::Block& block : request->system) {
    auto* text = block.As<chat::Text>();
    if (text == nullptr) continue;
    const size_t open = text->text.find(kTagOpen);
    const size_t close = text->text.find(kTagClose);
    if (open == std::string::npos || close == std::string::npos || close < open) continue;
    text->text.erase(open, close + kTagClose.size() - open);
  }
}

std::vector<uint64_t> PrefixChunks(const chat::ChatRequest& request, size_t chunk_bytes) {
  Chunker chunker(chunk_bytes);
  for (const chat::ToolSpec& tool : request.tools) {
    if (tool.defer_loading) continue;
    chunker.Add(tool.name);
    chunker.Add(tool.description);
    chunker.Add(tool.input_schema);
  }
  for (const chat::Block& block : request.system) {
    const auto* text = block.As<chat::Text>();
    if (text != nullptr && text->text.starts_with(kBillingMark)) continue;
    chunker.Add(std::vector<chat::Block>{block});
  }
  for (const chat::Message& message : request.messages) {
    chunker.Add(chat::RoleName(message.role));
    chunker.Add(message.blocks);
  }
  return chunker.Take();
}

}  // namespace ac::routing
