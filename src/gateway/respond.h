// Whole answers of routes: JSON, and errors in the dialect of the caller.
#pragma once

#include <string>
#include <utility>

#include "api/errors.h"
#include "http/server.h"

namespace ac::gateway {

inline void RespondError(http::Exchange& exchange, api::Dialect dialect, const Status& status) {
  const api::ErrorReply reply = api::EncodeError(dialect, status);
  http::Response response = http::Response::Make(reply.http_status, "application/json", reply.body);
  for (const auto& [name, value] : reply.headers) response.headers.Add(name, value);
  exchange.Respond(std::move(response));
}

inline void RespondJson(http::Exchange& exchange, std::string body) {
  exchange.Respond(http::Response::Make(200, "application/json", std::move(body)));
}

}  // namespace ac::gateway
