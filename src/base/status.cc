#include "base/status.h"

#include <cerrno>
#include <cstring>

namespace ac {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kNotFound:
      return "not_found";
    case Code::kAlreadyExists:
      return "already_exists";
    case Code::kPermissionDenied:
      return "permission_denied";
    case Code::kUnauthenticated:
      return "unauthenticated";
    case Code::kTooLarge:
      return "too_large";
    case Code::kResourceExhausted:
      return "resource_exhausted";
    case Code::kOverloaded:
      return "overloaded";
    case Code::kFailedPrecondition:
      return "failed_precondition";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kDeadlineExceeded:
      return "deadline_exceeded";
    case Code::kCancelled:
      return "cancelled";
    case Code::kDataLoss:
      return "data_loss";
    case Code::kInternal:
      return "internal";
  }
  return "unknown";
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  return std::string(CodeName(code_)) + ": " + message_;
}

Status Status::WithPrefix(std::string_view prefix) const {
  if (ok()) return *this;
  return Status(code_, std::string(prefix) + ": " + message_);
}

std::ostream& operator<<(std::ostream& out, const Status& status) {
  return out << status.ToString();
}

Status InvalidArgument(std::string message) {
  return Status(Code::kInvalidArgument, std::move(message));
}
Status NotFound(std::string message) { return Status(Code::kNotFound, std::move(message)); }
Status Unsupported(std::string message) { return Status(Code::kUnsupported, std::move(message)); }
Status Unavailable(std::string message) { return Status(Code::kUnavailable, std::move(message)); }
Status DataLoss(std::string message) { return Status(Code::kDataLoss, std::move(message)); }
Status Internal(std::string message) { return Status(Code::kInternal, std::move(message)); }

namespace {
Code CodeFromErrno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return Code::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kPermissionDenied;
    case EEXIST:
      return Code::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return Code::kResourceExhausted;
    case ENOTEMPTY:
    case EBUSY:
      return Code::kFailedPrecondition;
    case EFBIG:
    case ENAMETOOLONG:
      return Code::kTooLarge;
    case EINVAL:
    case EISDIR:
    case ELOOP:
    case ESPIPE:
      return Code::kInvalidArgument;
    case EIO:
      return Code::kDataLoss;
    case ETIMEDOUT:
      return Code::kDeadlineExceeded;
    case ECANCELED:
      return Code::kCancelled;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EADDRINUSE:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return Code::kUnavailable;
    default:
      return Code::kInternal;
  }
}
}  // namespace

Status FromErrno(int error_number, std::string_view what) {
  return Status(CodeFromErrno(error_number),
                std::string(what) + ": " + std::strerror(error_number));
}

}  // namespace ac
