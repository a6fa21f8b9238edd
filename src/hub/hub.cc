#include "hub/hub.h"

#include <algorithm>

#include "http/message.h"
#include "http/url.h"
#include "hub/digest.h"
#include "json/json.h"

namespace ac::hub {
namespace {

constexpr int kMaxPages = 100;  // of a listing

// Slashes stay, everything else that is special is encoded.
std::string EncodePath(std::string_view path) {
  std::string out;
  while (true) {
    const size_t slash = path.find('/');
    out += http::PercentEncode(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    out += '/';
    path.remove_prefix(slash + 1);
  }
}

// The address of the next page: `<url>; rel="next"`.
std::string NextPage(const http::Response& reply) {
  const std::string_view link = reply.headers.Get("Link");
  const size_t begin = link.find('<');
  const size_t end = link.find('>');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin ||
      link.find("rel=\"next\"", end) == std::string_view::npos) {
    return {};
  }
  return std::string(link.substr(begin + 1, end - begin - 1));
}

// A name that stays inside the folder it is joined to.
bool IsSafePath(std::string_view path) {
  return !path.empty() && !path.starts_with('/') && path.find("..") == std::string_view::npos &&
         path.find('\0') == std::string_view::npos;
}

Status AppendPage(std::string_view body, std::vector<RemoteFile>* files) {
  AC_ASSIGN_OR_RETURN(const json::Value page, json::Parse(body));
  const json::Array* entries = json::AsArray(&page);
  if (entries == nullptr) return DataLoss("[hub] the hub's listing is not a JSON array");
  for (const json::Value& entry : *entries) {
    const auto path = json::GetString(entry, "path");
    if (json::GetString(entry, "type") != "file" || !path || !IsSafePath(*path)) continue;
    RemoteFile file{.path = std::string(*path)};
    file.size =
        static_cast<uint64_t>(std::max<int64_t>(json::GetInt(entry, "size").value_or(0), 0));
    if (const json::Value* large = json::Find(entry, "lfs")) {
      file.sha256 = std::string(json::GetString(*large, "oid").value_or(""));
    } else {
      file.git_sha1 = std::string(json::GetString(entry, "oid").value_or(""));
    }
    files->push_back(std::move(file));
  }
  return OkStatus();
}

Status ListingFailed(const http::Response& reply, const ModelRef& ref, bool has_token) {
  const std::string what = ref.repo + " at revision " + ref.revision;
  if (reply.status == 404) return NotFound("[hub] no repository " + what);
  if (reply.status == 401 || reply.status == 403) {
    // Hubs answer so for repositories that do not exist, too.
    return Status(Code::kPermissionDenied,
                  "[hub] " + what + " does not exist or is not public; " +
                      (has_token ? "the token in HF_TOKEN may not read it"
                                 : "if it is yours or gated, set HF_TOKEN"));
  }
  return Unavailable("[hub] the hub answered " + std::to_string(reply.status) + " for " + what);
}

}  // namespace

http::Headers Hub::OwnHeaders() const {
  http::Headers headers;
  if (!options_.token.empty()) headers.Add("Authorization", "Bearer " + options_.token);
  return headers;
}

Result<std::vector<RemoteFile>> Hub::List(const ModelRef& ref) {
  std::vector<RemoteFile> files;
  std::string url = options_.endpoint + "/api/models/" + EncodePath(ref.repo) + "/tree/" +
                    http::PercentEncode(ref.revision) + "?recursive=true";
  AC_ASSIGN_OR_RETURN(const http::Url first, http::Url::Parse(url));
  for (int page = 0; page < kMaxPages && !url.empty(); ++page) {
    http::ClientRequest request{.url = url, .headers = OwnHeaders()};
    request.max_redirects = 4;
    AC_ASSIGN_OR_RETURN(const http::Response reply, client_.Fetch(std::move(request)));
    if (reply.status != 200) return ListingFailed(reply, ref, !options_.token.empty());
    AC_RETURN_IF_ERROR(AppendPage(reply.body, &files));
    const std::string next = NextPage(reply);
    if (next.empty()) break;
    AC_ASSIGN_OR_RETURN(const http::Url following, first.Resolve(next));
    if (following.Origin() != first.Origin()) {
      return DataLoss("[hub] the hub's listing continues on another host");
    }
    url = following.Origin() + following.target;
  }
  return files;
}

Result<PulledModel> Hub::Pull(const ModelRef& ref, const std::string& directory,
                              const PullProgress& progress) {
  if (ref.repo.empty()) return PullFile(ref, directory, progress);
  AC_ASSIGN_OR_RETURN(const std::vector<RemoteFile> all, List(ref));
  AC_ASSIGN_OR_RETURN(const Selection selection, SelectFiles(ref, all));
  PulledModel model{.name = selection.name};
  // A folder gets its config.json last: without it nothing takes the folder for a model.
  std::vector<RemoteFile> files = selection.files;
  std::stable_partition(files.begin(), files.end(),
                        [](const RemoteFile& file) { return file.path != "config.json"; });
  const std::string base = selection.is_folder ? JoinPath(directory, selection.name) : directory;
  for (const RemoteFile& file : files) {
    const std::string path = JoinPath(base, BaseName(file.path));
    AC_RETURN_IF_ERROR(Fetch(options_.endpoint + "/" + EncodePath(ref.repo) + "/resolve/" +
                                 http::PercentEncode(ref.revision) + "/" + EncodePath(file.path),
                             /*own=*/true, file, path, progress));
    model.bytes += file.size;
    if (model.path.empty()) model.path = path;
  }
  if (selection.is_folder) model.path = base;
  return model;
}

Result<PulledModel> Hub::PullFile(const ModelRef& ref, const std::string& directory,
                                  const PullProgress& progress) {
  const std::string address = ref.url.substr(0, ref.url.find_first_of("?#"));
  const std::string name = BaseName(address);
  const RemoteFile file{.path = name};
  PulledModel model{.path = JoinPath(directory, name), .name = name};
  if (model.name.ends_with(".gguf")) model.name.resize(model.name.size() - 5);
  if (fs_.Exists(model.path)) {
    return Status(Code::kAlreadyExists, "[hub] " + model.path +
                                            " is there already, and the server publishes no "
                                            "digest to compare with; remove it to fetch it again");
  }
  AC_RETURN_IF_ERROR(Fetch(ref.url, /*own=*/false, file, model.path, progress));
  AC_ASSIGN_OR_RETURN(const FileInfo info, fs_.Stat(model.path));
  model.bytes = info.size;
  return model;
}

Status Hub::Fetch(const std::string& url, bool own, const RemoteFile& file, const std::string& path,
                  const PullProgress& progress) {
  const auto report = [&](uint64_t done, uint64_t total) {
    if (progress) progress(file.path, done, total);
  };
  const Result<FileInfo> there = fs_.Stat(path);
  if (own && there.ok() && there->size == file.size) {
    const bool large = !file.sha256.empty();
    const Result<std::string> digest =
        FileDigest(fs_, path, large ? DigestKind::kSha256 : DigestKind::kGitBlob, {});
    if (digest.ok() && *digest == (large ? file.sha256 : file.git_sha1)) return OkStatus();
  }
  DownloadJob job{.url = url,
                  .path = path,
                  .size = file.size,
                  .sha256 = file.sha256,
                  .git_sha1 = file.git_sha1,
                  .progress = report};
  if (own) job.headers = OwnHeaders();
  return DownloadFile(client_, fs_, job, options_.download);
}

}  // namespace ac::hub
