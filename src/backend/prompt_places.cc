#include "backend/prompt_places.h"

#include <algorithm>
#include <string_view>

namespace ac::backend {
namespace {

using prompt::PromptPart;

int64_t KeepSeconds(std::string_view ttl) { return ttl == "1h" ? 3600 : 300; }

bool InHead(const PromptPart& part) {
  return part.kind == PromptPart::Kind::kTool || part.kind == PromptPart::Kind::kSystem;
}

// Where tools and system prompt end; 0: not known.
int64_t TrunkEnd(std::span<const PromptPart> parts) {
  if (parts.empty() || !InHead(parts.front())) return 0;
  const auto first = std::find_if_not(parts.begin(), parts.end(), InHead);
  return first == parts.end() ? 0 : first->token;
}

// Where the mark behind a part stands. Behind the last system block it means the tools too, on
// whichever side of it a template puts them.
int64_t MarkOf(std::span<const PromptPart> parts, size_t index, int64_t prompt_tokens) {
  const auto is_system = [](const PromptPart& part) {
    return part.kind == PromptPart::Kind::kSystem;
  };
  const bool last_system =
      is_system(parts[index]) &&
      std::none_of(parts.begin() + static_cast<long>(index) + 1, parts.end(), is_system);
  if (last_system) return std::max(TrunkEnd(parts), parts[index].token);
  return index + 1 < parts.size() ? parts[index + 1].token : prompt_tokens;
}

}  // namespace

std::vector<kv::Place> PlacesOf(std::span<const PromptPart> parts, int64_t prompt_tokens) {
  std::vector<kv::Place> all;
  if (const int64_t trunk = TrunkEnd(parts); trunk > 0) {
    all.push_back({trunk, kv::PlaceKind::kTrunk, kv::kTrunkKeepSeconds});
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].kind == PromptPart::Kind::kReply) {
      all.push_back({parts[i].token, kv::PlaceKind::kTurnEnd, 0});
    }
    if (!parts[i].cache_ttl.empty()) {
      all.push_back({MarkOf(parts, i, prompt_tokens), kv::PlaceKind::kTurnEnd,
                     KeepSeconds(parts[i].cache_ttl)});
    }
  }
  std::sort(all.begin(), all.end(),
            [](const kv::Place& a, const kv::Place& b) { return a.tokens < b.tokens; });
  std::vector<kv::Place> places;
  for (const kv::Place& place : all) {
    if (place.tokens <= 0) continue;
    if (places.empty() || places.back().tokens != place.tokens) {
      places.push_back(place);
      continue;
    }
    places.back().kind = std::max(places.back().kind, place.kind);
    places.back().keep_s = std::max(places.back().keep_s, place.keep_s);
  }
  return places;
}

int64_t LastMark(std::span<const PromptPart> parts, int64_t prompt_tokens) {
  int64_t last = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].cache_ttl.empty()) last = std::max(last, MarkOf(parts, i, prompt_tokens));
  }
  return last;
}

}  // namespace ac::backend
