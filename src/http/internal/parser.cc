#include "http/internal/parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

namespace ac::http::internal {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using beast::string_view;

// Beast's own limit counts 32 bits.
uint32_t HeaderLimit(const ParserLimits& limits) {
  return static_cast<uint32_t>(std::min<size_t>(limits.max_header_bytes, UINT32_MAX / 2));
}

// Beast 1.81 asserts that it sees the end of a chunked body, "0 CRLF CRLF", in one piece of at
// least this size when it has seen its beginning. No chunked body ends in less, so waiting costs
// nothing.
constexpr size_t kMinChunkedBytes = 5;

// Collects a message into the project's own types, without Beast's field container.
template <bool kIsRequest>
class Collector : public beast::http::basic_parser<kIsRequest> {
 public:
  explicit Collector(const ParserLimits& limits) {
    this->header_limit(HeaderLimit(limits));
    this->body_limit(limits.max_body_bytes);
  }

  bool MustWait(size_t available) const {
    return header_done && this->chunked() && available < kMinChunkedBytes;
  }

  Headers headers;
  std::string body;
  std::string method;
  std::string target;
  int status = 0;
  int version = 11;
  bool header_done = false;

 private:
  // A first allocation beyond this waits until the bytes really arrive.
  static constexpr size_t kMaxReserve = size_t{1} << 20;

  void on_request_impl(beast::http::verb, string_view method_text, string_view target_text,
                       int message_version, error_code& ec) override {
    method.assign(method_text.data(), method_text.size());
    target.assign(target_text.data(), target_text.size());
    version = message_version;
    ec = {};
  }
  void on_response_impl(int code, string_view, int message_version, error_code& ec) override {
    status = code;
    version = message_version;
    ec = {};
  }
  void on_field_impl(beast::http::field, string_view name, string_view value,
                     error_code& ec) override {
    // Fields after the body are trailers: no one here needs them, and merging them would let a
    // peer change headers that were already acted upon.
    if (!header_done) headers.Add(std::string(name), std::string(value));
    ec = {};
  }
  void on_header_impl(error_code& ec) override {
    header_done = true;
    ec = {};
  }
  void on_body_init_impl(const boost::optional<uint64_t>& length, error_code& ec) override {
    if (kIsRequest && length) {
      body.reserve(static_cast<size_t>(std::min<uint64_t>(*length, kMaxReserve)));
    }
    ec = {};
  }
  size_t on_body_impl(string_view bytes, error_code& ec) override {
    body.append(bytes.data(), bytes.size());
    ec = {};
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t, string_view, error_code& ec) override { ec = {}; }
  size_t on_chunk_body_impl(uint64_t, string_view bytes, error_code& ec) override {
    return on_body_impl(bytes, ec);
  }
  void on_finish_impl(error_code& ec) override { ec = {}; }
};

}  // namespace

struct RequestParser::Impl {
  explicit Impl(const ParserLimits& given) : limits(given), parser(given) { parser.eager(true); }

  void Fail(int status, std::string message) {
    error_status = status;
    error_message = std::move(message);
  }
  void FailWith(const error_code& ec) {
    if (ec == beast::http::error::header_limit) {
      Fail(431, "the request header is larger than " + std::to_string(limits.max_header_bytes) +
                    " bytes");
    } else if (ec == beast::http::error::body_limit) {
      Fail(413,
           "the request body is larger than " + std::to_string(limits.max_body_bytes) + " bytes");
    } else if (ec == beast::http::error::bad_version) {
      Fail(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    } else {
      Fail(400, "malformed HTTP request: " + ec.message());
    }
  }
  // What Beast leaves to its users: version, Host, transfer codings, target.
  void CheckHeader() {
    request.method = parser.method;
    request.target = parser.target;
    request.headers = std::move(parser.headers);
    if (parser.version != 10 && parser.version != 11) {
      return Fail(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    if (parser.version == 11 && !request.headers.Has("Host")) {
      return Fail(400, "malformed HTTP request: the Host header is missing");
    }
    if (request.headers.Has("Transfer-Encoding") &&
        (parser.version == 10 ||
         !EqualsIgnoreCase(request.headers.Get("Transfer-Encoding"), "chunked"))) {
      return Fail(501, "the only transfer coding understood is 'chunked'");
    }
    if (request.headers.Has("Expect") &&
        !EqualsIgnoreCase(request.headers.Get("Expect"), "100-continue")) {
      return Fail(417, "the only expectation understood is '100-continue'");
    }
    const Status target = ParseTarget(request.target, &request.path, &request.query);
    if (!target.ok()) Fail(400, target.message());
  }

  ParserLimits limits;
  Collector<true> parser;
  Request request;
  bool header_checked = false;
  int error_status = 0;
  std::string error_message;
};

RequestParser::RequestParser(const ParserLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

size_t RequestParser::Feed(std::string_view bytes) {
  if (failed() || done() || impl_->parser.MustWait(bytes.size())) return 0;
  error_code ec;
  const size_t used = impl_->parser.put({bytes.data(), bytes.size()}, ec);
  if (impl_->parser.header_done && !std::exchange(impl_->header_checked, true)) {
    impl_->CheckHeader();
  }
  if (failed()) return used;
  if (ec && ec != beast::http::error::need_more) impl_->FailWith(ec);
  // Chunk extensions have no limit of their own in the parser.
  if (!failed() && !done() && bytes.size() - used > impl_->limits.max_header_bytes) {
    impl_->Fail(header_done() ? 400 : 431, "a line of the request is too long");
  }
  if (done()) impl_->request.body = std::move(impl_->parser.body);
  if (failed() && impl_->request.target.empty()) {
    (void)ParseTarget(impl_->parser.target, &impl_->request.path, &impl_->request.query);
  }
  return used;
}

bool RequestParser::done() const { return impl_->parser.is_done(); }
bool RequestParser::header_done() const { return impl_->parser.header_done; }
int RequestParser::error_status() const { return impl_->error_status; }
const std::string& RequestParser::error_message() const { return impl_->error_message; }
bool RequestParser::keep_alive() const { return impl_->parser.keep_alive(); }
bool RequestParser::expects_continue() const {
  return impl_->parser.version == 11 && impl_->request.headers.Has("Expect");
}
int RequestParser::http_minor() const { return impl_->parser.version == 10 ? 0 : 1; }
Request& RequestParser::request() { return impl_->request; }

struct ResponseParser::Impl {
  Impl(const ParserLimits& limits, bool head_request) : parser(limits) {
    parser.eager(false);
    parser.body_limit(boost::none);
    if (head_request) parser.skip(true);
  }
  Collector<false> parser;
  Response response;
  bool header_moved = false;
};

ResponseParser::ResponseParser(const ParserLimits& limits, bool head_request)
    : impl_(std::make_unique<Impl>(limits, head_request)) {}
ResponseParser::~ResponseParser() = default;

Result<size_t> ResponseParser::Feed(std::string_view bytes) {
  size_t used = 0;
  const bool had_header = impl_->parser.header_done;
  while (used < bytes.size() && !done() && !impl_->parser.MustWait(bytes.size() - used)) {
    error_code ec;
    used += impl_->parser.put({bytes.data() + used, bytes.size() - used}, ec);
    if (ec == beast::http::error::need_more) break;
    if (ec) return DataLoss("the server's reply is not valid HTTP (" + ec.message() + ")");
    if (impl_->parser.header_done && !had_header) break;
  }
  if (impl_->parser.header_done && !std::exchange(impl_->header_moved, true)) {
    impl_->response.status = impl_->parser.status;
    impl_->response.headers = std::move(impl_->parser.headers);
  }
  return used;
}

Status ResponseParser::FeedEof() {
  if (done()) return OkStatus();
  if (!impl_->parser.got_some())
    return Unavailable("the server closed the connection without a reply");
  error_code ec;
  impl_->parser.put_eof(ec);
  if (ec) return DataLoss("the server closed the connection in the middle of its reply");
  return OkStatus();
}

bool ResponseParser::header_done() const { return impl_->parser.header_done; }
bool ResponseParser::done() const { return impl_->parser.is_done(); }
bool ResponseParser::keep_alive() const {
  return impl_->parser.keep_alive() && !impl_->parser.need_eof();
}
Response& ResponseParser::response() { return impl_->response; }
std::string ResponseParser::TakeBody() { return std::exchange(impl_->parser.body, {}); }

}  // namespace ac::http::internal
