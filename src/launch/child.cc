#include "launch/child.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "launch/spawn.h"

namespace ac::launch {
sigset_t ForwardedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD}) {
    sigaddset(&signals, number);
  }
  return signals;
}

Result<std::string> FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (access(name.c_str(), X_OK) == 0) return name;
    return FromErrno(errno, "[launch] " + name);
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    const std::string folder(colon == 0 ? "." : rest.substr(0, colon));
    const std::string candidate = folder + "/" + name;
    struct stat info {};
    if (stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
        access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return NotFound("[launch] " + name + " is not in PATH");
}

Result<int> RunChild(const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  const sigset_t signals = ForwardedSignals();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  const Result<pid_t> child = Spawn(argv, env);
  if (!child.ok()) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return child.status();
  }
  int code = -1;
  while (code < 0) {
    siginfo_t info{};
    const int number = sigwaitinfo(&signals, &info);
    if (number < 0 && errno == EINTR) continue;
    if (number != SIGCHLD) {
      // From the terminal (the kernel) the whole foreground group gets it, the child included.
      if (info.si_code <= 0) kill(*child, number);
      continue;
    }
    int status = 0;
    while (waitpid(*child, &status, WNOHANG | WUNTRACED) == *child) {
      if (WIFSTOPPED(status)) {
        kill(getpid(), SIGSTOP);  // until the shell's fg
        kill(*child, SIGCONT);
        continue;
      }
      code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return code;
}

}  // namespace ac::launch
