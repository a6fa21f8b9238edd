#include "api/embeddings.h"

#include <bit>
#include <cstring>

#include "api/internal/parsers.h"

namespace ac::api {
namespace {

using internal::ObjectReader;
using internal::ParseContext;
using internal::Path;

constexpr size_t kMaxInputs = 2048;

bool IsNumber(const json::Value& value) { return json::AsInt(&value).has_value(); }

chat::RawPrompt TokensOf(ParseContext* context, const Path& path, const json::Array& ids) {
  chat::RawPrompt prompt;
  internal::ForEach(context, path, ids, [&](const Path& at, const json::Value& value) {
    const auto id = json::AsInt(&value);
    if (!id || *id < 0 || *id > INT32_MAX) return context->Fail(at, "expected a token id");
    prompt.tokens.push_back(static_cast<int32_t>(*id));
  });
  if (ids.empty()) context->Fail(path, "is empty");
  return prompt;
}

chat::RawPrompt InputOf(ParseContext* context, const Path& path, const json::Value& value) {
  if (const auto text = json::AsString(&value)) {
    if (text->empty()) context->Fail(path, "is empty: there is nothing to embed");
    return {.text = std::string(*text), .tokens = {}};
  }
  if (const json::Array* ids = json::AsArray(&value)) return TokensOf(context, path, *ids);
  context->FailKind(path, "string or token ids", value);
  return {};
}

void ReadInputs(ParseContext* context, const Path& path, const json::Value& value,
                EmbeddingRequest* request) {
  const json::Array* list = json::AsArray(&value);
  // A list of numbers is one input, any other list has one input in each element.
  if (list == nullptr || (!list->empty() && IsNumber(list->front()))) {
    request->inputs.push_back(InputOf(context, path, value));
    return;
  }
  if (list->empty()) return context->Fail(path, "is empty: there is nothing to embed");
  if (list->size() > kMaxInputs) {
    return context->Fail(path, "has more than " + std::to_string(kMaxInputs) + " inputs");
  }
  internal::ForEach(context, path, *list, [&](const Path& at, const json::Value& item) {
    request->inputs.push_back(InputOf(context, at, item));
  });
}

std::string Base64(const std::vector<float>& vector) {
  static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes(vector.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), vector.data(), bytes.size());
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

}  // namespace

Result<EmbeddingRequest> ParseEmbeddings(std::string_view body, const RequestLimits& limits) {
  AC_ASSIGN_OR_RETURN(const json::Value root, internal::ParseBody(body, limits));
  ParseContext context(limits);
  EmbeddingRequest request;
  const Path top;
  {
    ObjectReader reader(&context, top, root);
    request.model = reader.RequiredString("model");
    if (const json::Value* input = reader.Require("input")) {
      ReadInputs(&context, top.Key("input"), *input, &request);
    }
    const std::string format = reader.String("encoding_format");
    if (!format.empty() && format != "float" && format != "base64") {
      context.Fail(top.Key("encoding_format"), "expected float or base64");
    }
    request.base64 = format == "base64";
    request.dimensions = reader.Int("dimensions", 1, 1 << 20).value_or(0);
    reader.Ignore({"user"});
  }
  if (!context.ok()) return context.status();
  return request;
}

std::string EncodeEmbeddings(const EmbeddingRequest& request,
                             const std::vector<std::vector<float>>& vectors,
                             int64_t prompt_tokens) {
  json::Array data;
  for (size_t i = 0; i < vectors.size(); ++i) {
    json::Object entry{{"object", "embedding"}, {"index", i}};
    if (request.base64) {
      entry["embedding"] = Base64(vectors[i]);
    } else {
      json::Array numbers;
      for (const float value : vectors[i]) numbers.emplace_back(static_cast<double>(value));
      entry["embedding"] = std::move(numbers);
    }
    data.push_back(std::move(entry));
  }
  return json::Write(json::Object{
      {"object", "list"},
      {"data", std::move(data)},
      {"model", request.model},
      {"usage", json::Object{{"prompt_tokens", prompt_tokens}, {"total_tokens", prompt_tokens}}}});
}

}  // namespace ac::api
