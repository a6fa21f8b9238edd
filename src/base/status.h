// Status and Result<T>: how every function of this project reports failure.
//
// Our code throws no exceptions. A function that can fail returns Status (no value) or Result<T>
// (a value or a Status). Messages start with the module in brackets and name the fix, for example
// "[weights] model.gguf: tensor 'blk.0.attn_q.weight' ends beyond the file; download it again".
// Both types are values: copy, move and return them freely; const access is thread-safe.
#pragma once

#include <cassert>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace ac {

// What went wrong, as far as a caller may act on it. api/errors.cc maps each to one HTTP status.
enum class Code {
  kOk = 0,
  kInvalidArgument,     // the caller's input is wrong; retrying cannot help
  kNotFound,            // a file, model, route or id that does not exist
  kAlreadyExists,       // creating something that is there, e.g. a name clash
  kPermissionDenied,    // the OS or a policy refuses
  kUnauthenticated,     // missing or wrong key
  kTooLarge,            // a body, prompt or file over its limit
  kResourceExhausted,   // memory, disk or descriptors are used up
  kOverloaded,          // a bounded queue is full; retry later
  kFailedPrecondition,  // valid input, wrong state
  kUnsupported,         // valid input we do not implement; the message says what is supported
  kUnavailable,         // a peer is down or left
  kDeadlineExceeded,    // a time limit passed
  kCancelled,           // the caller asked to stop
  kDataLoss,            // damaged or truncated data
  kInternal,            // a bug of ours
};

std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  std::string ToString() const;

  // The same failure with "prefix: " before the message; ok stays ok.
  Status WithPrefix(std::string_view prefix) const;

  friend bool operator==(const Status&, const Status&) = default;

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

std::ostream& operator<<(std::ostream& out, const Status& status);

inline Status OkStatus() { return Status(); }
Status InvalidArgument(std::string message);
Status NotFound(std::string message);
Status Unsupported(std::string message);
Status Unavailable(std::string message);
Status DataLoss(std::string message);
Status Internal(std::string message);
// Code from errno (ENOENT -> kNotFound, EACCES -> kPermissionDenied, ENOSPC ->
// kResourceExhausted...).
Status FromErrno(int error_number, std::string_view what);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit on purpose
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {  // NOLINT
    assert(!std::get<1>(state_).ok() && "Result needs a value or a failure");
  }

  bool ok() const { return state_.index() == 0; }
  Status status() const { return ok() ? OkStatus() : std::get<1>(state_); }

  T& value() & { return *Checked(); }
  const T& value() const& { return *const_cast<Result*>(this)->Checked(); }
  T&& value() && { return std::move(*Checked()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return Checked(); }
  const T* operator->() const { return const_cast<Result*>(this)->Checked(); }

 private:
  T* Checked() {
    assert(ok() && "value() of a failed Result");
    return std::get_if<0>(&state_);
  }
  std::variant<T, Status> state_;
};

}  // namespace ac

#define AC_CONCAT_INNER(a, b) a##b
#define AC_CONCAT(a, b) AC_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` (a Status) failed.
#define AC_RETURN_IF_ERROR(expr)                            \
  do {                                                      \
    if (::ac::Status ac_status = (expr); !ac_status.ok()) { \
      return ac_status;                                     \
    }                                                       \
  } while (0)

// AC_ASSIGN_OR_RETURN(auto x, F()): declares x from a Result, or returns its Status.
#define AC_ASSIGN_OR_RETURN(lhs, expr) \
  AC_ASSIGN_OR_RETURN_IMPL(AC_CONCAT(ac_result_, __LINE__), lhs, expr)
#define AC_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return tmp.status();            \
  lhs = std::move(tmp).value()
