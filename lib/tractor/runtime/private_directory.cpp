// SPDX-License-Identifier: BSL-1.0
#include "private_directory.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tractor::runtime {

namespace fs = std::filesystem;

namespace {

// A directory is called tractor-PID-XXXXXX; mkdtemp replaces the end.
constexpr char const* prefix = "tractor-";
constexpr std::string_view placeholder = "-XXXXXX";

// A socket's whole path may have 107 characters; ours end in a slash and a uuid.
constexpr std::size_t longest_base = 40;

std::string base() {
  char const* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime && *runtime == '/' && std::string(runtime).size() <= longest_base &&
      access(runtime, W_OK) == 0)
    return runtime;
  return "/tmp";
}

[[noreturn]] void fail(std::string const& what, int error) {
  throw std::system_error(error, std::generic_category(), "tractor: " + what);
}

// The lock that says that a directory's owner lives; none if somebody else holds it, or if there is
// no such file.
trio::Descriptor lock(std::string const& directory, int flags) {
  trio::Descriptor file(
      open((directory + "/owner").c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600));
  if (file.get() < 0 || flock(file.get(), LOCK_EX | LOCK_NB) < 0) return {};
  return file;
}

bool is_ours(std::string const& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

void remove(std::string const& directory) {
  std::error_code ignored;
  fs::remove_all(directory, ignored);
}

// Whether a directory is called as make_locked() calls it: others begin as ours do.
bool is_named_by_us(std::string const& name) {
  if (!name.starts_with(prefix)) return false;
  std::string const rest = name.substr(std::string_view(prefix).size());
  std::size_t const end_of_pid = rest.find_first_not_of("0123456789");
  return end_of_pid != 0 && end_of_pid != std::string::npos && rest[end_of_pid] == '-' &&
         rest.size() - end_of_pid == placeholder.size();
}

void remove_abandoned(std::string const& parent) {
  std::error_code ignored;
  for (auto const& entry : fs::directory_iterator(parent, ignored)) {
    std::string const path = entry.path();
    if (!is_named_by_us(entry.path().filename()) || !is_ours(path)) continue;
    if (auto const held = lock(path, 0); held.get() >= 0)
      remove(path);
    else
      // Its owner was killed when it had just made it, or is making it and will try again.
      rmdir(path.c_str());
  }
}

std::string make_locked(std::string const& parent, trio::Descriptor& held) {
  for (;;) {
    std::string path = parent + "/" + prefix + std::to_string(getpid()) + std::string(placeholder);
    // Made with mode 0700.
    if (!mkdtemp(path.data())) fail("cannot make a directory for sockets, " + path, errno);
    held = lock(path, O_CREAT);
    struct stat status = {};
    // Unless another tree that starts has taken it for an abandoned one meanwhile.
    if (held.get() >= 0 && fstat(held.get(), &status) == 0 && status.st_nlink > 0) return path;
    if (held.get() < 0 && errno != ENOENT && errno != EWOULDBLOCK) {
      int const error = errno;
      rmdir(path.c_str());
      fail("cannot lock " + path, error);
    }
  }
}

}  // namespace

PrivateDirectory::PrivateDirectory() {
  std::string const parent = base();
  remove_abandoned(parent);
  path_ = make_locked(parent, lock_);
}

PrivateDirectory::~PrivateDirectory() { remove(path_); }

}  // namespace tractor::runtime
