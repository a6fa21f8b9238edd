// Which names denote secrets, and how their values are written. Pure functions.
#pragma once

#include <string_view>

namespace ac::obs::internal {

enum class SecretName {
  kNo,
  kKey,            // api_key, x-api-key, access_token: any value is secret
  kPassword,       // password, secret: also words of prose, so "password: x" needs a second look
  kAuthorization,  // a scheme, then the secret
  kCookie,         // pairs up to the end of the line
};

SecretName ClassifyName(std::string_view name);

// Names too ordinary to act on anywhere but in a URL query: "?key=", "&token=".
bool IsSecretQueryName(std::string_view name);

// Words that follow "api_key:" or "password=" in source code and documentation.
bool IsPlaceholderWord(std::string_view word);

}  // namespace ac::obs::internal
