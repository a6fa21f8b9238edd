#include "launch/background_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/clock.h"
#include "launch/spawn.h"

namespace ac::launch {

Result<std::unique_ptr<BackgroundChild>> BackgroundChild::Start(
    const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return FromErrno(errno, "[launch] pipe");
  const Result<pid_t> pid = Spawn(argv, env, ends[1]);
  close(ends[1]);
  if (!pid.ok()) {
    close(ends[0]);
    return pid.status();
  }
  return std::unique_ptr<BackgroundChild>(new BackgroundChild(*pid, ends[0]));
}

BackgroundChild::~BackgroundChild() {
  kill(pid_, SIGTERM);
  int status = 0;
  for (int waited = 0; waitpid(pid_, &status, WNOHANG) == 0; ++waited) {
    if (waited == 1000) kill(pid_, SIGKILL);
    Clock::Real().SleepFor(std::chrono::milliseconds(10));
  }
  close(output_);
}

Result<std::string> BackgroundChild::WaitFor(const std::string& mark,
                                             std::chrono::milliseconds limit) {
  std::string said;
  const Nanos end = Clock::Real().Now() + limit;
  while (true) {
    const size_t at = said.find(mark);
    const size_t line_end = at == std::string::npos ? at : said.find('\n', at);
    if (line_end != std::string::npos) {
      const size_t begin = at + mark.size();
      return said.substr(begin, std::min(said.find(' ', begin), line_end) - begin);
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::Real().Now());
    pollfd ready{output_, POLLIN, 0};
    if (left.count() <= 0 || poll(&ready, 1, static_cast<int>(left.count())) == 0) {
      return Status(Code::kDeadlineExceeded, "[launch] the server did not start in time: " + said);
    }
    char buffer[4096];
    const ssize_t got = read(output_, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Status(Code::kUnavailable, "[launch] the server did not start: " + said);
    said.append(buffer, static_cast<size_t>(got));
  }
}

}  // namespace ac::launch
