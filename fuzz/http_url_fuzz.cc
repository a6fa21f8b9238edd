// URLs, request targets, redirects, NO_PROXY lists: the small text parsers of http.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/message.h"
#include "http/proxy.h"
#include "http/url.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ac::http::Url;
  const std::string text(reinterpret_cast<const char*>(data), size);

  const ac::Result<Url> url = Url::Parse(text);
  if (url.ok()) {
    const ac::Result<Url> again = Url::Parse(url->Origin() + url->target);
    if (!again.ok() || again->Authority() != url->Authority() || again->target != url->target) {
      std::abort();
    }
    if (url->Redacted().find('?') != std::string::npos) std::abort();
  }

  std::string path;
  ac::http::QueryParams query;
  if (ac::http::ParseTarget(text, &path, &query).ok()) {
    if (path != "*" && (path.empty() || path[0] != '/')) std::abort();
  }
  const ac::Result<std::string> decoded = ac::http::PercentDecode(text);
  if (decoded.ok() && decoded->find('\0') == std::string::npos) {
    const ac::Result<std::string> again =
        ac::http::PercentDecode(ac::http::PercentEncode(*decoded));
    if (!again.ok() || *again != *decoded) std::abort();
  }

  static const Url base = *Url::Parse("https://host.example:8443/a/b?c");
  (void)base.Resolve(text).ok();
  static const Url address = *Url::Parse("http://10.1.2.3/");
  ac::http::ProxyConfig proxies;
  proxies.all = "proxy:3128";
  proxies.no_proxy = text;
  (void)proxies.ProxyFor(base).ok();
  (void)proxies.ProxyFor(address).ok();
  proxies.all = text;
  proxies.no_proxy.clear();
  (void)proxies.ProxyFor(base).ok();
  return 0;
}
