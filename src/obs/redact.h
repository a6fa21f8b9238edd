// Takes secrets out of text before it reaches a log, a trace or a screen.
//
// Recognised by shape: keys with a known prefix (sk-ant-..., ghp_..., JWTs), "Bearer ..." and
// "Basic ...", private key blocks, passwords in URLs. Recognised by name: values of headers, JSON
// members, query parameters, assignments and flags that denote a secret ("x-api-key", "api_key",
// "OPENAI_API_KEY", "Set-Cookie"). Each secret becomes "[redacted]", the rest is kept byte for
// byte; valid JSON stays valid JSON, also when it is nested in a JSON string. A word such as
// "password" in prose is left alone. Linear time; pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace ac::obs {

inline constexpr std::string_view kRedacted = "[redacted]";

std::string Redact(std::string_view text);

// Whether a header, JSON member or field of this name holds a secret whatever it looks like.
bool IsSecretName(std::string_view name);

// The value to print for a header or field: kRedacted for a secret name, else Redact(value).
std::string RedactValue(std::string_view name, std::string_view value);

}  // namespace ac::obs
