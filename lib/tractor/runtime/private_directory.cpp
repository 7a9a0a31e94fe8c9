// SPDX-License-Identifier: BSL-1.0
#include "private_directory.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <unistd.h>

namespace tractor::runtime {

namespace {

// A socket's whole path may have 107 characters; ours end in a slash and a uuid.
constexpr std::size_t longest_base = 40;

std::string base() {
  char const* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime && *runtime == '/' && std::string(runtime).size() <= longest_base &&
      access(runtime, W_OK) == 0)
    return runtime;
  return "/tmp";
}

}  // namespace

PrivateDirectory::PrivateDirectory()
    : path_(base() + "/tractor-" + std::to_string(getpid()) + "-XXXXXX") {
  // Made with mode 0700.
  if (!mkdtemp(path_.data()))
    throw std::system_error(errno, std::generic_category(),
                            "tractor: cannot make a directory for sockets, " + path_);
}

PrivateDirectory::~PrivateDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace tractor::runtime
