#include "api/errors.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "json/json.h"

namespace ac::api {
namespace {

struct Mapping {
  Code code;
  int http_status;
  std::string_view anthropic_type;
  std::string_view openai_type;
  std::string_view openai_code;  // empty: null
  int64_t retry_after_s;         // 0: no header
};

constexpr std::array<Mapping, 15> kMappings = {{
    {Code::kInvalidArgument, 400, "invalid_request_error", "invalid_request_error", "", 0},
    {Code::kNotFound, 404, "not_found_error", "invalid_request_error", "not_found", 0},
    {Code::kAlreadyExists, 409, "invalid_request_error", "invalid_request_error", "", 0},
    {Code::kPermissionDenied, 403, "permission_error", "permission_error", "", 0},
    {Code::kUnauthenticated, 401, "authentication_error", "authentication_error", "invalid_api_key",
     0},
    {Code::kTooLarge, 413, "request_too_large", "invalid_request_error", "request_too_large", 0},
    {Code::kResourceExhausted, 429, "rate_limit_error", "rate_limit_error", "rate_limit_exceeded",
     2},
    {Code::kOverloaded, 529, "overloaded_error", "server_error", "overloaded", 2},
    {Code::kFailedPrecondition, 409, "invalid_request_error", "invalid_request_error", "", 0},
    {Code::kUnsupported, 501, "not_supported", "invalid_request_error", "not_supported", 0},
    {Code::kUnavailable, 503, "api_error", "server_error", "unavailable", 2},
    {Code::kDeadlineExceeded, 504, "timeout_error", "server_error", "timeout", 0},
    {Code::kCancelled, 499, "api_error", "server_error", "cancelled", 0},
    {Code::kDataLoss, 500, "api_error", "server_error", "", 0},
    {Code::kInternal, 500, "api_error", "server_error", "", 0},
}};

// OpenAI's clients know 503 and not Anthropic's 529.
constexpr int kAnthropicOverloaded = 529;

constexpr std::string_view kTooLongPrefix = "prompt is too long: ";

const Mapping& MappingOf(Code code) {
  for (const Mapping& mapping : kMappings) {
    if (mapping.code == code) return mapping;
  }
  return kMappings.back();
}

std::string ErrorJson(Dialect dialect, const Status& status, std::string_view request_id) {
  const Mapping& mapping = MappingOf(status.code());
  const std::string text = ErrorText(status);
  if (dialect == Dialect::kAnthropic) {
    std::string body = "{\"type\":\"error\",\"error\":{\"type\":\"" +
                       std::string(mapping.anthropic_type) + "\",\"message\":" + json::Quote(text) +
                       "}";
    if (!request_id.empty()) body += ",\"request_id\":" + json::Quote(request_id);
    return body + "}";
  }
  std::string_view code = mapping.openai_code;
  if (text.starts_with(kTooLongPrefix)) code = "context_length_exceeded";
  return "{\"error\":{\"message\":" + json::Quote(text) + ",\"type\":\"" +
         std::string(mapping.openai_type) +
         "\",\"param\":null,\"code\":" + (code.empty() ? "null" : json::Quote(code)) + "}}";
}

Code CodeFromHttp(int http_status) {
  switch (http_status) {
    case 401:
      return Code::kUnauthenticated;
    case 402:
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    case 408:
    case 504:
      return Code::kDeadlineExceeded;
    case 413:
      return Code::kTooLarge;
    case 429:
      return Code::kResourceExhausted;
    case 501:
      return Code::kUnsupported;
    case 529:
      return Code::kOverloaded;
    default:
      return http_status >= 400 && http_status < 500 ? Code::kInvalidArgument : Code::kUnavailable;
  }
}

// {"error":{"message":..}}, {"error":".."}, {"message":..}, {"detail":..}: all are in use.
std::string TextFromBody(const json::Value& body) {
  for (const std::string_view key : {"error", "message", "detail"}) {
    const json::Value* value = json::Find(body, key);
    if (value == nullptr) continue;
    if (const auto text = json::AsString(value)) return std::string(*text);
    if (const auto text = json::GetString(*value, "message")) return std::string(*text);
  }
  return "";
}

std::vector<int64_t> NumbersIn(std::string_view text) {
  std::vector<int64_t> numbers;
  size_t i = 0;
  while (i < text.size()) {
    int64_t number = 0;
    const auto parsed = std::from_chars(text.data() + i, text.data() + text.size(), number);
    const bool part_of_word = i > 0 && std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0;
    if (parsed.ec == std::errc() && number >= 0 && !part_of_word) numbers.push_back(number);
    i = parsed.ec == std::errc() ? static_cast<size_t>(parsed.ptr - text.data()) : i + 1;
  }
  return numbers;
}

// How known servers say that a prompt does not fit, and where their text has the numbers.
struct OverflowText {
  std::string_view phrase;
  bool maximum_first;
};
constexpr std::array<OverflowText, 6> kOverflowTexts = {{
    {"prompt is too long", false},
    {"maximum context length", true},
    {"exceeds the available context size", false},
    {"exceed_context_size", false},
    {"with context length of only", false},
    {"is greater than context length", false},
}};

std::optional<Status> OverflowFrom(const json::Value& body, std::string_view text) {
  const json::Value* error = json::Find(body, "error");
  if (error != nullptr) {
    const auto tokens = json::GetInt(*error, "n_prompt_tokens");
    const auto maximum = json::GetInt(*error, "n_ctx");
    if (tokens.has_value() && maximum.has_value()) return PromptTooLong(*tokens, *maximum);
  }
  for (const OverflowText& known : kOverflowTexts) {
    if (text.find(known.phrase) == std::string_view::npos) continue;
    std::vector<int64_t> numbers = NumbersIn(text);
    if (numbers.size() < 2) return std::nullopt;
    if (known.maximum_first) std::swap(numbers[0], numbers[1]);
    return PromptTooLong(numbers[0], numbers[1]);
  }
  return std::nullopt;
}

Status StatusFrom(const json::Value& body, Code code, const std::string& unknown) {
  const std::string text = TextFromBody(body);
  const bool may_overflow =
      code == Code::kInvalidArgument || code == Code::kTooLarge || code == Code::kUnavailable;
  if (may_overflow) {
    if (std::optional<Status> overflow = OverflowFrom(body, text)) return *overflow;
  }
  return Status(code, text.empty() ? unknown : text);
}

}  // namespace

std::string ErrorText(const Status& status) {
  std::string_view text = status.message();
  const size_t tag_end = text.find("] ");
  if (text.starts_with('[') && tag_end != std::string_view::npos) {
    const std::string_view tag = text.substr(1, tag_end - 1);
    const bool is_module = std::all_of(tag.begin(), tag.end(), [](char c) {
      return std::islower(static_cast<unsigned char>(c)) != 0 || c == '_';
    });
    if (is_module) text.remove_prefix(tag_end + 2);
  }
  return text.empty() ? std::string(CodeName(status.code())) : std::string(text);
}

ErrorReply EncodeError(Dialect dialect, const Status& status, const ErrorDetail& detail) {
  const Mapping& mapping = MappingOf(status.code());
  ErrorReply reply;
  reply.http_status = mapping.http_status;
  if (dialect == Dialect::kOpenAi && reply.http_status == kAnthropicOverloaded) {
    reply.http_status = 503;
  }
  const int64_t wait = detail.retry_after_s > 0 ? detail.retry_after_s : mapping.retry_after_s;
  if (wait > 0) reply.headers.emplace_back("retry-after", std::to_string(wait));
  if (mapping.http_status == 401 || mapping.http_status == 501) {
    reply.headers.emplace_back("x-should-retry", "false");
  }
  reply.body = ErrorJson(dialect, status, detail.request_id);
  return reply;
}

std::string EncodeErrorEvent(Endpoint endpoint, const Status& status) {
  const std::string body = ErrorJson(DialectOf(endpoint), status, "");
  if (DialectOf(endpoint) == Dialect::kAnthropic) {
    return "event: error\ndata: " + body + "\n\n";
  }
  if (endpoint == Endpoint::kResponses) {
    const std::string_view code = MappingOf(status.code()).openai_code;
    return "event: error\ndata: {\"type\":\"error\",\"code\":" +
           (code.empty() ? "null" : json::Quote(code)) +
           ",\"message\":" + json::Quote(ErrorText(status)) + ",\"param\":null}\n\n";
  }
  return "data: " + body + "\n\n";
}

Status PromptTooLong(int64_t tokens, int64_t maximum, std::string_view why) {
  std::string text = std::string(kTooLongPrefix) + std::to_string(tokens) + " tokens > " +
                     std::to_string(maximum) + " maximum";
  if (!why.empty()) text += " (" + std::string(why) + ")";
  return InvalidArgument(text);
}

Status StatusFromReply(int http_status, std::string_view body) {
  const Code code = CodeFromHttp(http_status);
  const std::string unknown = "the server answered HTTP " + std::to_string(http_status);
  const Result<json::Value> parsed = json::Parse(body, {.max_depth = 32});
  return parsed.ok() ? StatusFrom(*parsed, code, unknown) : Status(code, unknown);
}

Status StatusFromStreamError(const json::Value& body) {
  const json::Value* error = json::Find(body, "error");
  const json::Value& inner = error == nullptr ? body : *error;
  Code code = Code::kUnavailable;
  const std::string_view type = json::GetString(inner, "type").value_or("");
  for (const Mapping& mapping : kMappings) {
    if (mapping.anthropic_type != type) continue;
    code = mapping.code;
    break;
  }
  for (const std::string_view key : {"code", "status"}) {
    const int64_t http_status = json::GetInt(inner, key).value_or(0);
    if (http_status >= 400 && http_status < 600) code = CodeFromHttp(static_cast<int>(http_status));
  }
  // "api_error" is how a server reports itself, not the first code that maps to it.
  if (type == "api_error") code = Code::kUnavailable;
  return StatusFrom(body, code, "the server reported an error");
}

}  // namespace ac::api
