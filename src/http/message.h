// HTTP messages as plain values: header list, request, response, percent-encoding.
//
// Everything here owns its bytes and can be copied and moved freely. Values, not thread-safe.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ac::http {

// Header fields in the order received. Names compare without case and may repeat.
class Headers {
 public:
  using Entry = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Entry> entries) : entries_(entries) {}

  // The first value, or an empty view when the field is missing.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  // True when some field `name`, read as a comma-separated list, contains `token` (without case).
  bool HasToken(std::string_view name, std::string_view token) const;

  void Add(std::string name, std::string value);
  // Replaces every field of that name.
  void Set(std::string_view name, std::string value);
  void Remove(std::string_view name);

  size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

using QueryParams = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;
  std::string target;  // as received
  std::string path;    // percent-decoded, without the query
  QueryParams query;   // percent-decoded, in order
  Headers headers;
  std::string body;
  std::string remote_address;  // "127.0.0.1:53412", "[::1]:53412" or "unix"

  std::optional<std::string_view> QueryParam(std::string_view name) const;
};

struct Response {
  int status = 200;
  Headers headers = {};
  std::string body = {};

  static Response Make(int status, std::string content_type, std::string body);
};

// "Not Found" for 404; "Unknown" for a status without a registered phrase.
std::string_view ReasonPhrase(int status);

// Fails on a '%' that is not followed by two hex digits and on an encoded NUL.
Result<std::string> PercentDecode(std::string_view text, bool plus_is_space = false);
// Encodes everything but the unreserved characters A-Z a-z 0-9 - . _ ~
std::string PercentEncode(std::string_view text);

// Splits "/path?query" (or the absolute form proxies use, or "*") into the decoded parts.
Status ParseTarget(std::string_view target, std::string* path, QueryParams* query);

bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace ac::http
