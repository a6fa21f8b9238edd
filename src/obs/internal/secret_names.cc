#include "obs/internal/secret_names.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>

namespace ac::obs::internal {
namespace {

constexpr size_t kMaxName = 128;

// Compared with the end of a name that lost its dashes, underscores and capitals, so that one
// entry covers x-api-key, OPENAI_API_KEY and apiKey.
struct NameEnding {
  std::string_view ending;
  SecretName kind;
};
constexpr NameEnding kEndings[] = {
    {"apikey", SecretName::kKey},
    {"apikeys", SecretName::kKey},
    {"authtoken", SecretName::kKey},
    {"accesstoken", SecretName::kKey},
    {"refreshtoken", SecretName::kKey},
    {"bearertoken", SecretName::kKey},
    {"apitoken", SecretName::kKey},
    {"sessiontoken", SecretName::kKey},
    {"securitytoken", SecretName::kKey},
    {"csrftoken", SecretName::kKey},
    {"xsrftoken", SecretName::kKey},
    {"secretkey", SecretName::kKey},
    {"secretaccesskey", SecretName::kKey},
    {"privatekey", SecretName::kKey},
    {"signingkey", SecretName::kKey},
    {"encryptionkey", SecretName::kKey},
    {"subscriptionkey", SecretName::kKey},
    {"clientsecret", SecretName::kKey},
    {"password", SecretName::kPassword},
    {"passwords", SecretName::kPassword},
    {"passwd", SecretName::kPassword},
    {"passphrase", SecretName::kPassword},
    {"secret", SecretName::kPassword},
    {"secrets", SecretName::kPassword},
    {"credential", SecretName::kPassword},
    {"credentials", SecretName::kPassword},
    {"authorization", SecretName::kAuthorization},
    {"cookie", SecretName::kCookie},
    {"cookies", SecretName::kCookie},
    {"cookie2", SecretName::kCookie},
};

// "token" is missing on purpose: here it nearly always means a piece of text.
constexpr NameEnding kWholeNames[] = {
    {"pwd", SecretName::kPassword},
    {"auth", SecretName::kPassword},
    {"idtoken", SecretName::kKey},
};

constexpr std::string_view kQueryNames[] = {"auth", "key", "sig", "signature", "token"};

constexpr std::string_view kPlaceholderWords[] = {
    "any",    "bool",    "boolean", "bytes",  "false",    "int",       "missing",  "no",
    "none",   "null",    "number",  "object", "optional", "own",       "required", "secretstr",
    "str",    "string",  "text",    "token",  "true",     "undefined", "unknown",  "unset",
    "yes",    "key",     "value",   "the",    "a",        "is",        "not",      "set",
    "needed", "invalid", "wrong",   "header", "your",     "my",        "bearer",   "basic",
};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Normalise(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '-' && c != '_') out += Lower(c);
  }
  return out;
}

// HF_TOKEN, GITHUB_TOKEN: environment variables. In lower case it would be eos_token.
bool IsEnvironmentToken(std::string_view name) {
  return name.ends_with("_TOKEN") &&
         std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

}  // namespace

SecretName ClassifyName(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) return SecretName::kNo;
  const std::string plain = Normalise(name);
  for (const NameEnding& entry : kEndings) {
    if (plain.ends_with(entry.ending)) return entry.kind;
  }
  for (const NameEnding& entry : kWholeNames) {
    if (plain == entry.ending) return entry.kind;
  }
  return IsEnvironmentToken(name) ? SecretName::kKey : SecretName::kNo;
}

bool IsSecretQueryName(std::string_view name) {
  if (name.size() > kMaxName) return false;
  const std::string plain = Normalise(name);
  return std::find(std::begin(kQueryNames), std::end(kQueryNames), plain) != std::end(kQueryNames);
}

bool IsPlaceholderWord(std::string_view word) {
  if (word.size() > kMaxName) return false;
  while (!word.empty() && (word.back() == '.' || word.back() == ':' || word.back() == '?')) {
    word.remove_suffix(1);
  }
  const std::string plain = Normalise(word);
  return std::find(std::begin(kPlaceholderWords), std::end(kPlaceholderWords), plain) !=
         std::end(kPlaceholderWords);
}

}  // namespace ac::obs::internal
