// Places in a prompt where other prompts are likely to go on, and so worth keeping longest.
//
// The engine gets them with a request; the tree of pages, the disk tier and the store of states
// each use them in their own way. Reuse never depends on them: they only decide what goes last.
#pragma once

#include <cstdint>

namespace ac::kv {

enum class PlaceKind : uint8_t {
  kGrid,     // a multiple of kStateGrid, for edits in the middle
  kTurnEnd,  // where the next turn of this conversation goes on, or a mark of the client
  kTrunk,    // end of tools and system prompt: where every new conversation goes on
};

struct Place {
  int64_t tokens = 0;  // how many are before it
  PlaceKind kind = PlaceKind::kGrid;
  int64_t keep_s = 0;  // worth keeping for so long after each use; 0: like any other tokens
  friend bool operator==(const Place&, const Place&) = default;
};

// What a trunk is worth without a client's mark: long enough for a working session, short enough
// that trunks which change with every request do not crowd out conversations for long.
inline constexpr int64_t kTrunkKeepSeconds = 4 * 3600;

}  // namespace ac::kv
