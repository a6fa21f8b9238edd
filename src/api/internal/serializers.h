// One serializer per dialect; serialize.cc picks.
#pragma once

#include <string>

#include "api/api.h"

namespace ac::api::internal {

std::string SerializeMessages(const chat::ChatRequest& request, const SerializeOptions& options,
                              bool count_only);
std::string SerializeChatCompletions(const chat::ChatRequest& request,
                                     const SerializeOptions& options);

}  // namespace ac::api::internal
