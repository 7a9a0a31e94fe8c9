// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>

#include <string>

namespace tractor::runtime {

// A directory that only we may enter, for a tree's sockets; gone with its owner. What an owner that
// was killed has left behind, the next one removes: a lock on the directory, which the kernel takes
// back, says who lives.
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
  trio::Descriptor lock_;
};

}  // namespace tractor::runtime
