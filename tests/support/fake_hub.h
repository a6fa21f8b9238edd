// A model hub in the test's own process: listing, redirects to a second host that holds the bytes,
// ranges, entity tags, tokens, and connections that break in the middle of a file.
#pragma once

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "http/server.h"
#include "support/http_server.h"

namespace ac::testing {

class FakeHub {
 public:
  struct File {
    std::string content;
    std::string sha256;    // as the listing says it
    std::string git_sha1;  // of files without sha256
  };
  // What a host saw of a request for file bytes.
  struct Seen {
    std::string method;
    std::string range;
    std::string authorization;
  };

  FakeHub() {
    store_ = Serve([this](const http::Request& request, const ExchangePtr& exchange) {
      OnStore(request, exchange);
    });
    hub_ = Serve([this](const http::Request& request, const ExchangePtr& exchange) {
      OnHub(request, exchange);
    });
  }
  ~FakeHub() {
    hub_.reset();
    store_.reset();
  }

  std::string url() const { return hub_->url(); }
  std::string store_url() const { return store_->url(); }

  void Put(const std::string& path, File file) {
    MutexLock lock(mutex_);
    files_[path] = std::move(file);
  }
  // Every file is cut after so many bytes of each of the next `times` replies.
  void CutAfter(size_t bytes, int times) {
    MutexLock lock(mutex_);
    cut_after_ = bytes;
    cuts_ = times;
  }
  // The next reply ends after so many bytes, and then files are refused until Resume().
  void StopAfter(size_t bytes) {
    MutexLock lock(mutex_);
    cut_after_ = bytes;
    cuts_ = 1;
    stops_ = true;
  }
  void Resume() {
    MutexLock lock(mutex_);
    stops_ = false;
  }
  void RequireToken(std::string token) {
    MutexLock lock(mutex_);
    token_ = std::move(token);
  }
  std::vector<Seen> seen() const {
    MutexLock lock(mutex_);
    return seen_;
  }

 private:
  static constexpr std::string_view kTree = "/api/models/acme/coder/tree/main";
  static constexpr std::string_view kResolve = "/acme/coder/resolve/main/";

  void OnHub(const http::Request& request, const ExchangePtr& exchange) {
    MutexLock lock(mutex_);
    if (!token_.empty() && request.headers.Get("Authorization") != "Bearer " + token_) {
      return exchange->Respond(http::Response::Make(401, "text/plain", "who are you"));
    }
    if (request.path == kTree) return List(request, exchange);
    if (request.path.starts_with(kResolve)) {
      http::Response reply = http::Response::Make(302, "text/plain", "");
      reply.headers.Add("Location", store_->url() + "/" + request.path.substr(kResolve.size()));
      return exchange->Respond(reply);
    }
    exchange->Respond(http::Response::Make(404, "text/plain", "no such thing"));
  }

  // One file per page, so that paging is always exercised.
  void List(const http::Request& request, const ExchangePtr& exchange) AC_REQUIRES(mutex_) {
    const std::string cursor(request.QueryParam("cursor").value_or("0"));
    size_t index = 0;
    std::from_chars(cursor.data(), cursor.data() + cursor.size(), index);
    auto it = files_.begin();
    std::advance(it, std::min(index, files_.size()));
    std::string body = R"([{"type":"directory","path":"folder","size":0})";
    if (it != files_.end()) {
      const File& file = it->second;
      body += R"(,{"type":"file","path":")" + it->first + R"(","size":)" +
              std::to_string(file.content.size());
      if (file.sha256.empty()) {
        body += R"(,"oid":")" + file.git_sha1 + R"("})";
      } else {
        body += R"(,"oid":"0000","lfs":{"oid":")" + file.sha256 + R"("}})";
      }
    }
    http::Response reply = http::Response::Make(200, "application/json", body + "]");
    if (index + 1 < files_.size()) {
      reply.headers.Add("Link", "<" + std::string(kTree) + "?recursive=true&cursor=" +
                                    std::to_string(index + 1) + ">; rel=\"next\"");
    }
    exchange->Respond(reply);
  }

  void OnStore(const http::Request& request, const ExchangePtr& exchange) {
    MutexLock lock(mutex_);
    const std::string range(request.headers.Get("Range"));
    seen_.push_back({request.method, range, std::string(request.headers.Get("Authorization"))});
    const auto it = files_.find(request.path.substr(1));
    if (it == files_.end()) {
      return exchange->Respond(http::Response::Make(404, "text/plain", "no such file"));
    }
    const std::string& content = it->second.content;
    const std::string tag = "\"" + std::to_string(std::hash<std::string>()(content)) + "\"";
    size_t from = 0;
    const std::string_view if_range = request.headers.Get("If-Range");
    const bool ranged = range.starts_with("bytes=") && (if_range.empty() || if_range == tag);
    if (ranged) std::from_chars(range.data() + 6, range.data() + range.size(), from);
    if (request.method != "HEAD" && cuts_ == 0 && stops_) {
      return exchange->Respond(http::Response::Make(403, "text/plain", "not now"));
    }
    if (request.method != "HEAD" && cuts_ > 0) {
      --cuts_;
      const size_t end = std::min(content.size(), from + cut_after_);
      exchange->StartStream(ranged ? 206 : 200, {{"ETag", tag}});
      exchange->Write(content.substr(from, end - from));
      // An aborted connection may lose bytes on their way; an orderly end does not.
      return stops_ ? exchange->Finish() : exchange->Abort();
    }
    http::Response reply =
        http::Response::Make(ranged ? 206 : 200, "application/octet-stream", content.substr(from));
    reply.headers.Add("ETag", tag);
    exchange->Respond(reply);
  }

  mutable Mutex mutex_;
  std::map<std::string, File> files_ AC_GUARDED_BY(mutex_);
  std::vector<Seen> seen_ AC_GUARDED_BY(mutex_);
  std::string token_ AC_GUARDED_BY(mutex_);
  size_t cut_after_ AC_GUARDED_BY(mutex_) = 0;
  int cuts_ AC_GUARDED_BY(mutex_) = 0;
  bool stops_ AC_GUARDED_BY(mutex_) = false;
  std::unique_ptr<http::Server> store_;
  std::unique_ptr<http::Server> hub_;
};

}  // namespace ac::testing
