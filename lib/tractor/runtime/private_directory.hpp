// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>

namespace tractor::runtime {

// A directory that only we may enter, for a tree's sockets; gone with its owner.
class PrivateDirectory {
 public:
  // In $XDG_RUNTIME_DIR, or in /tmp if there is none or its name is too long for sockets. Throws
  // std::system_error.
  PrivateDirectory();
  PrivateDirectory(PrivateDirectory const&) = delete;
  PrivateDirectory& operator=(PrivateDirectory const&) = delete;
  ~PrivateDirectory();

  std::string const& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace tractor::runtime
