// connect_watch LOG PROGRAM [ARGS...]: runs a program and writes down whom it tries to reach.
//
// One line per attempt of the program or any of its children to address a socket outside this
// machine: the system call and the address. A seccomp filter hands connect, sendto and sendmsg of
// every thread to this process, which reads the address and lets the call go on. Attempts count,
// not successes, so the result does not depend on whether the machine has a network. Exits as the
// program does; 77 when the kernel does not let us watch.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kCannotWatch = 77;

// The listener's descriptor; -1 when the kernel refuses.
int InstallFilter() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
  };
  sock_fprog program = {sizeof code / sizeof code[0], code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

bool ReadMemory(pid_t pid, uint64_t address, void* out, size_t size) {
  iovec local = {out, size};
  iovec remote = {reinterpret_cast<void*>(address), size};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

// "203.0.113.5:443" of an address outside this machine; empty for any other.
std::string OutsideAddress(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
    const uint32_t host = ntohl(ip.sin_addr.s_addr);
    if (host >> 24 == 127 || host == 0) return {};
    inet_ntop(AF_INET, &ip.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(ip.sin_port));
  }
  if (address.ss_family != AF_INET6) return {};  // Unix sockets, netlink
  const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);
  const bool mapped_loopback =
      IN6_IS_ADDR_V4MAPPED(&ip.sin6_addr) && ip.sin6_addr.s6_addr[12] == 127;
  if (IN6_IS_ADDR_LOOPBACK(&ip.sin6_addr) || mapped_loopback) return {};
  inet_ntop(AF_INET6, &ip.sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(ip.sin6_port));
}

// Where the address of a call is in the caller's memory, and how long it is. Null: it names none.
struct Place {
  uint64_t address = 0;
  uint64_t size = 0;
};
Place AddressOf(const seccomp_notif& call) {
  if (call.data.nr == SYS_connect) return {call.data.args[1], call.data.args[2]};
  if (call.data.nr == SYS_sendto) return {call.data.args[4], call.data.args[5]};
  msghdr message = {};
  if (!ReadMemory(static_cast<pid_t>(call.pid), call.data.args[1], &message, sizeof message)) {
    return {};
  }
  return {reinterpret_cast<uint64_t>(message.msg_name), message.msg_namelen};
}

void Note(const seccomp_notif& call, std::FILE* log) {
  const Place place = AddressOf(call);
  if (place.address == 0 || place.size == 0) return;
  sockaddr_storage address = {};
  const size_t size = std::min<size_t>(place.size, sizeof address);
  if (!ReadMemory(static_cast<pid_t>(call.pid), place.address, &address, size)) return;
  const std::string outside = OutsideAddress(address);
  if (outside.empty()) return;
  const char* name = call.data.nr == SYS_connect  ? "connect"
                     : call.data.nr == SYS_sendto ? "sendto"
                                                  : "sendmsg";
  std::fprintf(log, "%s %s\n", name, outside.c_str());
  std::fflush(log);
}

// Until every process with the filter is gone, or the program itself is.
void Watch(int listener, pid_t child, std::FILE* log, int* status) {
  while (true) {
    pollfd ready = {listener, POLLIN, 0};
    const int count = poll(&ready, 1, 100);
    if (waitpid(child, status, WNOHANG) == child) return;
    if (count <= 0 || (ready.revents & POLLIN) == 0) continue;
    seccomp_notif call = {};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
    Note(call, log);
    seccomp_notif_resp answer = {};
    answer.id = call.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

pid_t child_process = 0;
void PassOn(int signal) {
  if (child_process > 0) kill(child_process, signal);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: connect_watch LOG PROGRAM [ARGS...]\n");
    return 2;
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return kCannotWatch;
  const pid_t watcher = getpid();
  child_process = fork();
  if (child_process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != watcher) _exit(1);
    const int listener = InstallFilter();
    if (listener < 0) _exit(kCannotWatch);
    // Sending the descriptor would itself be watched, by nobody yet: the parent fetches it.
    if (write(pair[1], &listener, sizeof listener) != sizeof listener) _exit(kCannotWatch);
    char go = 0;
    if (read(pair[1], &go, 1) != 1) _exit(kCannotWatch);
    close(listener);
    execvp(argv[2], argv + 2);
    std::perror(argv[2]);
    _exit(127);
  }
  close(pair[1]);
  int number = -1;
  int status = 0;
  if (read(pair[0], &number, sizeof number) != sizeof number) {
    waitpid(child_process, &status, 0);
    std::fprintf(stderr, "connect_watch: this kernel does not hand over system calls\n");
    return kCannotWatch;
  }
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, child_process, 0));
  const int listener = static_cast<int>(syscall(SYS_pidfd_getfd, handle, number, 0));
  std::FILE* log = std::fopen(argv[1], "w");
  if (listener < 0 || log == nullptr) {
    std::perror("connect_watch");
    kill(child_process, SIGKILL);
    return kCannotWatch;
  }
  signal(SIGTERM, PassOn);
  signal(SIGINT, PassOn);
  if (write(pair[0], "g", 1) != 1) return 1;
  Watch(listener, child_process, log, &status);
  std::fclose(log);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
