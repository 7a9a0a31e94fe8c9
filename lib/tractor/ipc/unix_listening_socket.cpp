// SPDX-License-Identifier: BSL-1.0
#include "unix_listening_socket.hpp"

#include <trio/descriptor.hpp>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace tractor::ipc {

namespace {

[[noreturn]] void fail(int error, std::string const& what) {
  throw std::system_error(error, std::generic_category(), "tractor: " + what);
}

sockaddr_un address_of(std::string const& path) {
  sockaddr_un address = {};
  if (path.size() >= sizeof address.sun_path)
    fail(ENAMETOOLONG, "cannot listen at " + path + ": a Unix socket's path has at most " +
                           std::to_string(sizeof address.sun_path - 1) +
                           " bytes; choose a shorter directory");
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

sockaddr const* generic(sockaddr_un const& address) {
  return static_cast<sockaddr const*>(static_cast<void const*>(&address));
}

int unix_socket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

// Opens the directory if nobody else can put anything into it.
int open_private(std::string const& directory) {
  trio::Descriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status = {};
  if (opened.get() < 0 || fstat(opened.get(), &status) != 0)
    fail(errno, "cannot listen in " + directory);
  if (status.st_uid != geteuid() || (status.st_mode & 077) != 0)
    fail(EPERM, "cannot listen in " + directory +
                    ": it must belong to this user and be closed to others (chmod 700)");
  return opened.release();
}

// Whether some process listens there.
bool is_live(sockaddr_un const& address) {
  trio::Descriptor const probe(unix_socket());
  return connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN;
}

}  // namespace

UnixListeningSocket::UnixListeningSocket(std::string const& directory, std::string const& name)
    : path_(directory + "/" + name) {
  auto const address = address_of(path_);
  trio::Descriptor const held(open_private(directory));
  // Whoever else takes over a dead process's name here waits for his turn.
  flock(held.get(), LOCK_EX);

  trio::Descriptor listening(unix_socket());
  if (listening.get() < 0) fail(errno, "cannot make a socket");
  int bound = bind(listening.get(), generic(address), sizeof address);
  if (bound != 0 && errno == EADDRINUSE) {
    if (is_live(address)) fail(EADDRINUSE, "a live process listens at " + path_);
    struct stat status = {};
    if (stat(path_.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode))
      fail(EEXIST, "cannot listen at " + path_ + ": it is there, and no socket");
    unlink(path_.c_str());
    bound = bind(listening.get(), generic(address), sizeof address);
  }
  struct stat status = {};
  if (bound != 0 || stat(path_.c_str(), &status) != 0 || listen(listening.get(), SOMAXCONN) != 0)
    fail(errno, "cannot listen at " + path_);
  inode_ = status.st_ino;
  fd_ = listening.release();
}

UnixListeningSocket::~UnixListeningSocket() {
  if (fd_ >= 0) close(fd_);
  struct stat status = {};
  if (stat(path_.c_str(), &status) == 0 && status.st_ino == inode_) unlink(path_.c_str());
}

int UnixListeningSocket::release() noexcept { return std::exchange(fd_, -1); }

}  // namespace tractor::ipc
