#include "web/fetch.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/mutex.h"
#include "web/page_text.h"

namespace ac::web {
namespace {

constexpr size_t kMaxUrlBytes = 250;  // as in the API
constexpr int kMaxRedirects = 5;

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// "example.com" covers its subdomains; "example.com/docs" what is below that path.
bool Covers(std::string_view domain, const http::Url& url) {
  const size_t slash = domain.find('/');
  const std::string host = Lower(domain.substr(0, slash));
  if (host.empty()) return false;
  const bool same = url.host == host || url.host.ends_with("." + host);
  if (!same || slash == std::string_view::npos) return same;
  std::string_view path = domain.substr(slash);
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/") return true;
  if (!url.target.starts_with(path)) return false;
  const std::string_view rest = std::string_view(url.target).substr(path.size());
  return rest.empty() || rest.front() == '/' || rest.front() == '?';
}

bool CoversAny(const std::vector<std::string>& domains, const http::Url& url) {
  return std::any_of(domains.begin(), domains.end(),
                     [&](const std::string& domain) { return Covers(domain, url); });
}

struct MediaType {
  std::string name;  // "text/html"
  std::string charset;
};
MediaType ParseMediaType(std::string_view value) {
  const std::string lower = Lower(value);
  MediaType type{.name = lower.substr(0, lower.find(';')), .charset = {}};
  while (type.name.ends_with(' ')) type.name.pop_back();
  const size_t at = lower.find("charset=");
  if (at == std::string::npos) return type;
  type.charset = lower.substr(at + 8);
  type.charset = type.charset.substr(0, type.charset.find(';'));
  std::erase_if(type.charset, [](char c) { return c == '"' || c == '\'' || c == ' '; });
  return type;
}

bool IsHtml(const std::string& type) {
  return type == "text/html" || type == "application/xhtml+xml";
}
bool IsText(const std::string& type) {
  return type.starts_with("text/") || type == "application/json" || type == "application/xml" ||
         type == "application/javascript" || type.ends_with("+json") || type.ends_with("+xml");
}

std::string IsoTime(Nanos since_epoch) {
  const auto seconds =
      static_cast<time_t>(std::chrono::duration_cast<std::chrono::seconds>(since_epoch).count());
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

FetchOutcome Failure(std::string code, std::string why) {
  return {.page = std::nullopt, .error = {std::move(code), std::move(why)}};
}

}  // namespace

std::optional<FetchError> CheckFetchUrl(std::string_view url, const FetchRules& rules) {
  if (url.size() > kMaxUrlBytes) {
    return FetchError{"url_too_long", "the address is longer than 250 characters"};
  }
  const Result<http::Url> parsed = http::Url::Parse(url);
  if (!parsed.ok()) {
    return FetchError{"invalid_tool_input", "not an http or https address"};
  }
  if (!parsed->user.empty() || !parsed->password.empty()) {
    return FetchError{"invalid_tool_input", "an address with a user name is not fetched"};
  }
  if (CoversAny(rules.blocked_domains, *parsed)) {
    return FetchError{"url_not_allowed", "the user blocks " + parsed->host};
  }
  if (!rules.allowed_domains.empty() && !CoversAny(rules.allowed_domains, *parsed)) {
    return FetchError{"url_not_allowed", "the user does not allow " + parsed->host};
  }
  return std::nullopt;
}

FetchOutcome ReadPage(const std::string& url, const http::Response& head, std::string_view body,
                      size_t max_text_bytes) {
  if (head.status == 429) return Failure("too_many_requests", "the site answered 429");
  if (head.status / 100 != 2) {
    return Failure("url_not_accessible", "the site answered " + std::to_string(head.status));
  }
  const std::string encoding = Lower(head.headers.Get("content-encoding"));
  if (!encoding.empty() && encoding != "identity") {
    return Failure("unsupported_content_type", "the site answered in the encoding " + encoding);
  }
  const MediaType type = ParseMediaType(head.headers.Get("content-type"));
  if (!IsHtml(type.name) && !IsText(type.name)) {
    return Failure("unsupported_content_type",
                   "only text is read here, and this is " +
                       (type.name.empty() ? std::string("of an unnamed kind") : type.name));
  }
  const Result<http::Url> page = http::Url::Parse(url);
  if (!page.ok()) return Failure("invalid_tool_input", "not an http or https address");
  FetchedPage out{.url = url, .title = {}, .text = ToUtf8(body, type.charset), .retrieved_at = {}};
  bool cut = false;
  if (IsHtml(type.name)) {
    PageText read = ReadHtml(out.text, *page, max_text_bytes);
    out.title = std::move(read.title);
    out.text = std::move(read.text);
    cut = read.cut;
  } else if (out.text.size() > max_text_bytes) {
    out.text = CutText(out.text, max_text_bytes);
    cut = true;
  }
  if (cut) out.text += "\n[The page goes on; it was cut here.]";
  return {.page = std::move(out), .error = {}};
}

FetchError ExplainFailure(const Status& status) {
  const char* code = "url_not_accessible";
  if (status.code() == Code::kPermissionDenied) code = "url_not_allowed";
  if (status.code() == Code::kTooLarge) code = "content_too_large";
  if (status.code() == Code::kInvalidArgument) code = "invalid_tool_input";
  return {code, status.message()};
}

struct Fetch::State {
  State(FetchRules rules_in, PageFetcher::Done done_in)
      : rules(std::move(rules_in)), done(std::move(done_in)) {}

  const FetchRules rules;
  const PageFetcher::Done done;
  // On the client's thread only.
  std::string url;
  http::Response head;
  std::string body;
  int redirects = 0;

  Mutex mutex;
  http::Call call AC_GUARDED_BY(mutex);
  bool over AC_GUARDED_BY(mutex) = false;
};

Fetch::~Fetch() {
  http::Call call;
  {
    MutexLock lock(state_->mutex);
    state_->over = true;
    call = std::move(state_->call);
  }
  // Destroyed without the lock, which its callbacks take.
}

PageFetcher::PageFetcher(FetchOptions options, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      client_({.ca_file = options_.ca_file, .public_only = !options_.allow_private}) {}

std::unique_ptr<Fetch> PageFetcher::Start(const std::string& url, const FetchRules& rules,
                                          Done done) {
  auto state = std::make_shared<Fetch::State>(rules, std::move(done));
  auto fetch = std::make_unique<Fetch>(state);
  if (auto error = CheckFetchUrl(url, rules)) {
    state->done({.page = std::nullopt, .error = *std::move(error)});
  } else {
    Follow(state, url);
  }
  return fetch;
}

void PageFetcher::Follow(const std::shared_ptr<Fetch::State>& state, const std::string& url) {
  http::ClientRequest request{.url = url, .max_body_bytes = options_.max_body_bytes};
  request.headers.Add("accept", "text/html,text/plain;q=0.9,*/*;q=0.5");
  request.headers.Add("user-agent", "anyclaude (web_fetch)");
  request.timeouts = http::ClientTimeouts{.total = options_.time_limit};
  // The state owns the call; the call must not own the state.
  const std::weak_ptr<Fetch::State> weak = state;
  const auto with = [weak](auto what) {
    if (const auto self = weak.lock()) what(*self);
  };
  http::CallEvents events;
  events.on_headers = [with](const http::Response& head) {
    with([&](Fetch::State& self) { self.head = head; });
  };
  events.on_data = [with](std::string_view bytes) {
    with([&](Fetch::State& self) { self.body += bytes; });
  };
  events.on_done = [this, weak](const Status& status) {
    if (const auto self = weak.lock()) Arrived(self, status);
  };
  http::Call before;
  MutexLock lock(state->mutex);
  if (state->over) return;
  state->url = url;
  state->body.clear();
  before = std::move(state->call);
  // Under the lock, so that a reply that comes at once finds this call and not an older one.
  state->call = client_.Start(std::move(request), std::move(events));
}

void PageFetcher::Arrived(const std::shared_ptr<Fetch::State>& state, const Status& status) {
  const std::string location(state->head.headers.Get("location"));
  if (status.ok() && state->head.status / 100 == 3 && !location.empty()) {
    const Result<http::Url> here = http::Url::Parse(state->url);
    const Result<http::Url> next = here.ok() ? here->Resolve(location) : here;
    FetchError error{"url_not_accessible", "the site redirects to what is no address"};
    if (++state->redirects > kMaxRedirects) error.why = "the site redirects too often";
    if (next.ok() && state->redirects <= kMaxRedirects) {
      const std::string url = next->Origin() + next->target;
      auto refused = CheckFetchUrl(url, state->rules);
      if (!refused) return Follow(state, url);
      error = *std::move(refused);
    }
    return state->done({.page = std::nullopt, .error = std::move(error)});
  }
  if (!status.ok()) return state->done({.page = std::nullopt, .error = ExplainFailure(status)});
  FetchOutcome outcome = ReadPage(state->url, state->head, state->body,
                                  std::min(options_.max_text_bytes, state->rules.max_text_bytes));
  if (outcome.page) outcome.page->retrieved_at = IsoTime(clock_.WallNow());
  state->done(std::move(outcome));
}

}  // namespace ac::web
