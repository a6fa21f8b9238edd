#include "prompt/template_traits.h"

#include <algorithm>
#include <optional>

namespace ac::prompt {
namespace {

using chat::Role;

constexpr std::string_view kMark = "PROBE-MARK";

chat::Message Says(Role role, std::string text) {
  return {.role = role, .blocks = {{.value = chat::Text{std::move(text)}, .cache_ttl = ""}}};
}

class Probe {
 public:
  explicit Probe(const RenderProbe& render) : render_(render) {}

  TemplateTraits Run() {
    traits_.system_anywhere = ShowsSystemInTheMiddle();
    traits_.must_alternate =
        !Render({Says(Role::kUser, "one"), Says(Role::kUser, "two")}, false).has_value();
    if (!traits_.system_anywhere) FindHeaders();
    FindTurns();
    traits_.looks_back_at_calls = LooksBackAtCalls();
    return traits_;
  }

 private:
  std::optional<std::string> Render(std::vector<chat::Message> messages, bool generation,
                                    std::span<const uint64_t> turns = {}) const {
    chat::ChatRequest request;
    request.messages = std::move(messages);
    Result<std::string> text = render_(request, traits_, generation, turns);
    if (!text.ok()) return std::nullopt;
    return std::move(text).value();
  }

  bool ShowsSystemInTheMiddle() const {
    const auto text = Render({Says(Role::kUser, "one"), Says(Role::kAssistant, "two"),
                              Says(Role::kUser, "three"), Says(Role::kSystem, std::string(kMark))},
                             true);
    if (!text) return false;
    const size_t at = text->find(kMark);
    return at != std::string::npos && text->find("three") < at;
  }

  // "<|im_start|>user\n" and "<|im_start|>system\n": the same but for the name of the role.
  void FindHeaders() {
    const auto before = Render({Says(Role::kUser, "one"), Says(Role::kAssistant, "two")}, false);
    const auto after = Render({Says(Role::kUser, "one"), Says(Role::kAssistant, "two"),
                               Says(Role::kUser, std::string(kMark))},
                              false);
    const auto first =
        Render({Says(Role::kSystem, std::string(kMark)), Says(Role::kUser, "one")}, false);
    if (!before || !after || !first || !after->starts_with(*before)) return;
    const size_t mark = after->find(kMark);
    if (mark == std::string::npos || mark < before->size()) return;
    const std::string user = after->substr(before->size(), mark - before->size());
    const size_t name = user.find("user");
    if (name == std::string::npos || user.find("user", name + 1) != std::string::npos) return;
    std::string system = user;
    system.replace(name, std::string_view("user").size(), "system");
    if (!first->substr(0, first->find(kMark)).ends_with(system)) return;
    traits_.user_header = user;
    traits_.system_header = system;
  }

  void FindTurns() {
    const auto before = Render({Says(Role::kUser, "one")}, false);
    const auto opened = Render({Says(Role::kUser, "one")}, true);
    const auto answered =
        Render({Says(Role::kUser, "one"), Says(Role::kAssistant, std::string(kMark)),
                Says(Role::kUser, "two")},
               false);
    if (!before || !opened || !answered || !opened->starts_with(*before) ||
        !answered->starts_with(*before)) {
      return;
    }
    const size_t mark = answered->find(kMark);
    if (mark == std::string::npos || mark < before->size()) return;
    const std::string generation = opened->substr(before->size());
    const std::string header = answered->substr(before->size(), mark - before->size());
    const auto same =
        std::mismatch(generation.begin(), generation.end(), header.begin(), header.end());
    traits_.turn_opening.assign(generation.begin(), same.first);
    traits_.turn_lead.assign(same.second, header.end());
    traits_.takes_turns = generation.empty() || !traits_.turn_opening.empty();
  }

  // With a mark in the place of a turn that calls, is something behind the turn written otherwise?
  bool LooksBackAtCalls() const {
    const auto block = [](auto value) {
      return chat::Block{.value = std::move(value), .cache_ttl = ""};
    };
    const std::vector<chat::Message> messages = {
        Says(Role::kUser, "one"),
        {.role = Role::kAssistant,
         .blocks = {block(chat::ToolUse{.id = "call", .name = "tool", .input = "{}"})}},
        {.role = Role::kUser,
         .blocks = {block(chat::ToolResult{.tool_use_id = "call",
                                           .content = {block(chat::Text{std::string(kMark)})},
                                           .is_error = false})}}};
    const auto shown = Render(messages, true);
    constexpr uint64_t kKnown[] = {0, 1, 0};
    const auto marked = Render(messages, true, kKnown);
    if (!shown || !marked) return false;  // refused: then the calls are rendered anyhow
    const size_t shown_at = shown->find(kMark);
    const size_t marked_at = marked->find(kMark);
    if (shown_at == std::string::npos || marked_at == std::string::npos) return false;
    return shown->substr(shown_at) != marked->substr(marked_at);
  }

  const RenderProbe& render_;
  TemplateTraits traits_;
};

}  // namespace

TemplateTraits ProbeTemplate(const RenderProbe& render) { return Probe(render).Run(); }

}  // namespace ac::prompt
