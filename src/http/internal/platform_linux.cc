#include <dirent.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>

#include "http/internal/platform.h"

namespace ac::http::internal {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// The socket inode of the listener on `port`, from a table in the format of /proc/net/tcp.
std::string ListenerInode(const char* table, uint16_t port) {
  std::ifstream in(table);
  std::string line;
  std::getline(in, line);  // column titles
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
        timeout >> inode;
    const size_t colon = local.rfind(':');
    if (colon == std::string::npos || state != "0A") continue;  // 0A: LISTEN
    unsigned value = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), value, 16);
    if (value == port) return inode;
  }
  return "";
}

bool ProcessHoldsSocket(const std::string& process, const std::string& link_text) {
  const std::string folder = "/proc/" + process + "/fd";
  const Directory directory(opendir(folder.c_str()));
  if (directory == nullptr) return false;  // another user's process
  while (const dirent* entry = readdir(directory.get())) {
    char text[64];
    const std::string path = folder + "/" + entry->d_name;
    const ssize_t size = readlink(path.c_str(), text, sizeof text);
    if (size > 0 && std::string_view(text, static_cast<size_t>(size)) == link_text) return true;
  }
  return false;
}

}  // namespace

std::string DescribePortOwner(uint16_t port) {
  std::string inode = ListenerInode("/proc/net/tcp", port);
  if (inode.empty()) inode = ListenerInode("/proc/net/tcp6", port);
  if (inode.empty()) return "";
  const std::string link_text = "socket:[" + inode + "]";
  const Directory processes(opendir("/proc"));
  if (processes == nullptr) return "";
  while (const dirent* entry = readdir(processes.get())) {
    const std::string process = entry->d_name;
    if (process.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!ProcessHoldsSocket(process, link_text)) continue;
    const std::string folder = "/proc/" + process;
    std::ifstream in(folder + "/comm");
    std::string name;
    std::getline(in, name);
    return name.append(" (pid ").append(process).append(")");
  }
  return "";
}

bool PeerHasClosed(int descriptor) {
  pollfd request{descriptor, POLLRDHUP, 0};
  return poll(&request, 1, 0) > 0 && (request.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

size_t SendNow(int descriptor, std::string_view bytes) {
  const ssize_t sent = send(descriptor, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? static_cast<size_t>(sent) : 0;
}

void RaiseFileLimit(size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace ac::http::internal
