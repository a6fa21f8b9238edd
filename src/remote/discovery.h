// What models a server has and how much each can read: pure readers of its answers.
//
// Servers say it in different places and under different names; these functions know all of them.
// A window that nobody tells is 0: unknown. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"
#include "base/status.h"
#include "remote/server_kind.h"

namespace ac::remote {

struct InfoRequest {
  std::string url;
  bool google_key = false;  // the key goes into x-goog-api-key
};

// Scheme, host and port of a base URL.
std::string RootOf(std::string_view base_url);

InfoRequest ModelListRequest(const ServerKind& kind, std::string_view base_url);
// The second place to ask, if this kind of server has one.
std::optional<InfoRequest> ContextRequest(const ServerKind& kind, std::string_view base_url);

// GET /v1/models in any of its shapes.
Result<std::vector<api::ModelInfo>> ReadModelList(std::string_view body);
// Adds what the second answer says to the list; models that only it names are added.
void ReadContext(ContextSource source, std::string_view body, std::vector<api::ModelInfo>* models);

// The id to ask for: the configured one, else the client's if the server has it (or is a cloud that
// has more than it lists), else the first loaded one. Empty: nothing is known.
std::string PickModel(const ServerKind& kind, std::string_view configured,
                      std::string_view requested, const std::vector<api::ModelInfo>& models);

// Names a model this server cannot load, e.g. a path where only hub ids work.
Status CheckModelName(const ServerKind& kind, std::string_view model);

}  // namespace ac::remote
