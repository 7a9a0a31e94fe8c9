// SPDX-License-Identifier: BSL-1.0
#include "socket_calls.hpp"
#include "when_ready.hpp"

#include <trio/errors.hpp>
#include <trio/io.hpp>
#include <trio/socket_listener.hpp>
#include <trio/time.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace trio {

namespace detail {

// The name of a Unix socket in the file system, removed with it.
class SocketName {
 public:
  // Of the socket that has just been bound there.
  explicit SocketName(std::string path) : path_(std::move(path)) {
    struct stat status = {};
    if (stat(path_.c_str(), &status) < 0)
      throw std::system_error(errno, std::generic_category(), "trio: " + path_);
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }

  SocketName(SocketName const&) = delete;
  SocketName& operator=(SocketName const&) = delete;

  ~SocketName() {
    struct stat status = {};
    // Somebody may have replaced it.
    if (stat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_)
      unlink(path_.c_str());
  }

 private:
  std::string path_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace detail

namespace {

constexpr std::chrono::milliseconds overload_pause(100);
constexpr std::chrono::milliseconds lock_interval(1);

// accept(2) passes on what had gone wrong with a connection before it was accepted.
constexpr std::array errors_of_connections = {
    ECONNABORTED, ECONNRESET,      EHOSTDOWN,   EHOSTUNREACH,    ENETDOWN,
    ENETUNREACH,  ENONET,          ENOPROTOOPT, EOPNOTSUPP,      ENOSR,
    EPERM,        EPROTONOSUPPORT, EPROTO,      ESOCKTNOSUPPORT, ETIMEDOUT};
// It may pass, as others close what they have.
constexpr std::array errors_of_overload = {EMFILE, ENFILE, ENOBUFS, ENOMEM};

template <std::size_t N> bool is_one_of(int error, std::array<int, N> const& errors) {
  return std::ranges::find(errors, error) != errors.end();
}

// Whoever takes over a dead process's name in this directory waits until it is his turn. Without
// the right to read it, goes without.
Descriptor lock_directory_of(std::string const& path) {
  std::size_t const end = path.rfind('/');
  std::string const directory = end == std::string::npos ? "." : path.substr(0, end + 1);
  Descriptor held(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  while (held.get() >= 0 && flock(held.get(), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
    sleep(lock_interval);
  return held;
}

// Whether no process has the socket of this name any more. Any other refusal comes from one that
// has it: one that is busy, that we may not talk to, or that is of another type.
bool is_abandoned(SocketAddress const& address) {
  Descriptor const probe = detail::make_socket(address);
  return connect(probe.get(), address.get(), address.length()) < 0 &&
         (errno == ECONNREFUSED || errno == ENOENT);
}

// Binds to a name that is there already, if a dead process has left it. Returns 0, or why not.
int take_over(Descriptor const& socket, SocketAddress const& address, std::string const& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode)) return EEXIST;
  if (!is_abandoned(address)) return EADDRINUSE;
  unlink(path.c_str());
  return bind(socket.get(), address.get(), address.length()) < 0 ? errno : 0;
}

void serve_listener(SocketListener listener, std::shared_ptr<StreamHandler const> const& handler,
                    Nursery& nursery) {
  auto const serve = [](std::shared_ptr<StreamHandler const> const& serving, SocketStream stream) {
    (*serving)(stream);
  };
  TaskOptions const options = {.name = "connection at " + describe(listener.local_address())};
  for (;;) {
    try {
      nursery.start_soon(options, serve, handler, listener.accept());
      continue;
    } catch (std::system_error const& error) {
      if (!is_one_of(error.code().value(), errors_of_overload)) throw;
    } catch (std::bad_alloc const&) {
      // As ENOMEM.
    }
    sleep(overload_pause);
  }
}

}  // namespace

SocketListener::SocketListener(Descriptor listening) : fd_(std::move(listening)) {
  if (detail::socket_option(fd_.get(), SO_TYPE) != SOCK_STREAM ||
      detail::socket_option(fd_.get(), SO_ACCEPTCONN) == 0)
    throw std::invalid_argument("trio: a SocketListener needs a SOCK_STREAM socket that listens");
}

SocketListener::SocketListener(SocketListener&& other) noexcept = default;

SocketListener& SocketListener::operator=(SocketListener&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::move(other.fd_);
    name_ = std::move(other.name_);
  }
  return *this;
}

SocketListener::~SocketListener() { close(); }

void SocketListener::close() {
  name_ = nullptr;
  fd_.close();
}

SocketStream SocketListener::accept() {
  detail::ConflictDetector::Use const use(accepting_,
                                          "trio: another task is accepting at this listener");
  for (;;) {
    ssize_t const accepted = detail::when_ready(fd_, lowlevel::wait_readable, [](int fd) {
      return accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    });
    if (accepted >= 0) return SocketStream(Descriptor(static_cast<int>(accepted)));
    if (!is_one_of(errno, errors_of_connections)) detail::fail_call("accept", errno);
  }
}

SocketAddress SocketListener::local_address() const {
  return detail::ask_address(getsockname, fd_.get_open());
}

SocketListener open_unix_listener(std::string const& path, int backlog) {
  lowlevel::checkpoint();
  auto const address = SocketAddress::unix_path(path);
  bool const is_abstract = path.front() == '\0';
  std::string const purpose = "cannot listen at " + describe(address);
  Descriptor const lock = is_abstract ? Descriptor() : lock_directory_of(path);
  Descriptor made = detail::make_socket(address);
  int error = bind(made.get(), address.get(), address.length()) < 0 ? errno : 0;
  if (error == EADDRINUSE && !is_abstract) error = take_over(made, address, path);
  if (error != 0) detail::fail_call(purpose, error);
  auto name = is_abstract ? nullptr : std::make_unique<detail::SocketName>(path);
  if (listen(made.get(), backlog) < 0) detail::fail_call(purpose, errno);
  SocketListener listener(std::move(made));
  listener.name_ = std::move(name);
  return listener;
}

void serve_listeners(StreamHandler handler, std::vector<SocketListener> listeners,
                     Nursery* handler_nursery, TaskStatus<std::vector<SocketAddress>>& status) {
  lowlevel::checkpoint_if_cancelled();
  // The handlers may live longer than this call.
  auto const shared = std::make_shared<StreamHandler const>(std::move(handler));
  open_nursery([&](Nursery& nursery) {
    std::vector<SocketAddress> addresses;
    for (SocketListener& listener : listeners) {
      addresses.push_back(listener.local_address());
      nursery.start_soon({.name = "serve at " + describe(addresses.back())}, serve_listener,
                         std::move(listener), shared,
                         std::ref(handler_nursery ? *handler_nursery : nursery));
    }
    status.started(std::move(addresses));
  });
}

void serve_unix(StreamHandler handler, std::string const& path,
                TaskStatus<std::vector<SocketAddress>>& status) {
  std::vector<SocketListener> listeners;
  listeners.push_back(open_unix_listener(path));
  serve_listeners(std::move(handler), std::move(listeners), nullptr, status);
}

}  // namespace trio
