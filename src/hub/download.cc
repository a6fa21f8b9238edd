#include "hub/download.h"

#include <charconv>
#include <memory>

#include "base/hash.h"
#include "base/mutex.h"
#include "http/url.h"
#include "hub/digest.h"

namespace ac::hub {
namespace {

std::string Where(const DownloadJob& job) {
  const Result<http::Url> url = http::Url::Parse(job.url);
  return url.ok() ? url->Redacted() : std::string("the given URL");
}

Status StatusOfReply(int status, const DownloadJob& job) {
  const std::string what = Where(job) + " answered " + std::to_string(status);
  if (status == 401 || status == 403) {
    return Status(Code::kPermissionDenied,
                  "[hub] " + what +
                      ": the model is private or its licence must be accepted on its "
                      "page first; then set HF_TOKEN");
  }
  if (status == 404) return NotFound("[hub] " + what + ": no such file");
  if (status == 408 || status == 429 || status >= 500) return Unavailable("[hub] " + what);
  return InvalidArgument("[hub] " + what);
}

bool IsWorthRetrying(const Status& status) {
  return status.code() == Code::kUnavailable || status.code() == Code::kDeadlineExceeded ||
         status.code() == Code::kOverloaded;
}

// What identifies the content on the server, so that a part file is continued only with its own.
struct RemoteState {
  uint64_t size = 0;
  std::string tag;  // a strong ETag; empty: resuming would be a guess
};

// One GET from `offset` on, written into `file` as it comes.
class Transfer {
 public:
  Transfer(File& file, uint64_t offset, const DownloadJob& job)
      : file_(file), requested_(offset), offset_(offset), job_(job) {}

  Status Run(http::Client& client, const RemoteState& remote) {
    http::ClientRequest request{.url = job_.url, .headers = job_.headers};
    request.repeatable = true;
    request.max_redirects = 8;
    if (offset_ > 0) {
      request.headers.Set("Range", "bytes=" + std::to_string(offset_) + "-");
      if (!remote.tag.empty()) request.headers.Set("If-Range", remote.tag);
    }
    http::Call call = client.Start(
        std::move(request), {.on_headers = [this](const http::Response& head) { OnHead(head); },
                             .on_data = [this](std::string_view bytes) { OnData(bytes); },
                             .on_done = [this](const Status& status) { OnDone(status); }});
    MutexLock lock(mutex_);
    while (!done_ && status_.ok()) changed_.Wait(mutex_);
    return status_;  // leaving destroys the call, which stops a transfer that failed here
  }

  uint64_t offset() const {
    MutexLock lock(mutex_);
    return offset_;
  }

 private:
  void OnHead(const http::Response& head) {
    MutexLock lock(mutex_);
    if (head.status == 200 && requested_ > 0) offset_ = 0;  // the content changed: from the start
    if (head.status == 200 || head.status == 206) return;
    // 416: the part file is longer than the file, so it is of something else.
    if (head.status == 416) offset_ = 0;
    Fail(head.status == 416 ? Unavailable("[hub] the server has less than was downloaded before")
                            : StatusOfReply(head.status, job_));
  }
  void OnData(std::string_view bytes) {
    MutexLock lock(mutex_);
    if (!status_.ok()) return;
    const Status written = file_.WriteAt(offset_, std::as_bytes(std::span(bytes)));
    if (!written.ok()) return Fail(written);
    offset_ += bytes.size();
    if (job_.progress) job_.progress(offset_, job_.size);
  }
  void OnDone(const Status& status) {
    MutexLock lock(mutex_);
    done_ = true;
    if (status_.ok()) status_ = status;
    changed_.NotifyAll();
  }
  void Fail(Status status) AC_REQUIRES(mutex_) {
    status_ = std::move(status);
    changed_.NotifyAll();
  }

  File& file_;
  const uint64_t requested_;
  mutable Mutex mutex_;
  CondVar changed_;
  uint64_t offset_ AC_GUARDED_BY(mutex_);
  bool done_ AC_GUARDED_BY(mutex_) = false;
  Status status_ AC_GUARDED_BY(mutex_);
  const DownloadJob& job_;
};

Result<RemoteState> AskServer(http::Client& client, const DownloadJob& job) {
  http::ClientRequest request{.method = "HEAD", .url = job.url, .headers = job.headers};
  request.max_redirects = 8;
  AC_ASSIGN_OR_RETURN(const http::Response head, client.Fetch(std::move(request)));
  RemoteState remote{.size = job.size};
  if (head.status == 405 || head.status == 501) return remote;  // it must do without
  if (head.status != 200) return StatusOfReply(head.status, job);
  const std::string_view length = head.headers.Get("Content-Length");
  if (remote.size == 0) {
    std::from_chars(length.data(), length.data() + length.size(), remote.size);
  }
  const std::string_view tag = head.headers.Get("ETag");
  if (tag.starts_with('"')) remote.tag = std::string(tag);
  return remote;
}

// The part file carries what it is a part of in its name: another content gets another part.
std::string PartPath(const DownloadJob& job, const RemoteState& remote) {
  const std::string identity =
      !job.sha256.empty() ? job.sha256 : (!job.git_sha1.empty() ? job.git_sha1 : remote.tag);
  const std::string key = identity + " " + std::to_string(remote.size);
  return job.path + "." + Hash128Of(key.data(), key.size()).ToHex().substr(0, 12) + ".part";
}

Status CheckDigest(FileSystem& fs, const std::string& part, const DownloadJob& job) {
  const bool large = !job.sha256.empty();
  const std::string& expected = large ? job.sha256 : job.git_sha1;
  if (expected.empty()) return OkStatus();
  AC_ASSIGN_OR_RETURN(const std::string digest,
                      FileDigest(fs, part, large ? DigestKind::kSha256 : DigestKind::kGitBlob, {}));
  if (digest == expected) return OkStatus();
  return DataLoss("[hub] what came from " + Where(job) + " has the digest " + digest +
                  " and should have " + expected);
}

// Fetches the missing bytes, again after interruptions, until the part has its full size.
Status FillPart(http::Client& client, FileSystem& fs, const DownloadJob& job,
                const RemoteState& remote, const std::string& part, const DownloadOptions& options,
                Clock& clock) {
  AC_ASSIGN_OR_RETURN(const auto file, fs.Open(part, OpenMode::kReadWrite));
  AC_ASSIGN_OR_RETURN(uint64_t offset, file->Size());
  const bool can_resume = !remote.tag.empty() || !job.sha256.empty() || !job.git_sha1.empty();
  if (!can_resume) offset = 0;
  Nanos pause = options.first_pause;
  for (int attempt = 1; remote.size == 0 || offset < remote.size;) {
    Transfer transfer(*file, offset, job);
    Status status = transfer.Run(client, remote);
    const bool progressed = transfer.offset() > offset;
    offset = can_resume || status.ok() ? transfer.offset() : 0;
    if (status.ok() && remote.size == 0) return file->Sync();
    if (status.ok() && offset < remote.size)
      status = Unavailable("[hub] the server sent too little");
    if (status.ok()) break;
    if (progressed) {
      attempt = 1;
      pause = options.first_pause;
    } else if (++attempt > options.attempts) {
      return status;
    }
    if (!IsWorthRetrying(status)) return status;
    clock.SleepFor(pause);
    pause *= 2;
  }
  if (remote.size > 0 && offset > remote.size) {
    return DataLoss("[hub] " + Where(job) + " sent more than its " + std::to_string(remote.size) +
                    " bytes");
  }
  return file->Sync();
}

}  // namespace

Status DownloadFile(http::Client& client, FileSystem& fs, const DownloadJob& job,
                    const DownloadOptions& options, Clock& clock) {
  AC_RETURN_IF_ERROR(fs.CreateDirectories(DirName(job.path)));
  AC_ASSIGN_OR_RETURN(const RemoteState remote, AskServer(client, job));
  DownloadJob sized = job;
  sized.size = remote.size;
  const std::string part = PartPath(sized, remote);
  Status status;
  // A part that was damaged on disk fails its digest once; what is fetched afresh must be right.
  for (int round = 0; round < 2; ++round) {
    AC_RETURN_IF_ERROR(FillPart(client, fs, sized, remote, part, options, clock));
    status = CheckDigest(fs, part, sized);
    if (status.ok()) break;
    AC_RETURN_IF_ERROR(fs.Remove(part));
  }
  AC_RETURN_IF_ERROR(status);
  AC_RETURN_IF_ERROR(fs.Rename(part, job.path));
  return fs.SyncDirectory(DirName(job.path));
}

}  // namespace ac::hub
