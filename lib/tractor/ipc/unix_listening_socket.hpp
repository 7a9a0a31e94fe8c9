// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <string>
#include <string_view>

#include <sys/types.h>

namespace tractor::ipc {

// Of the endpoint of a Unix socket; its path follows.
inline constexpr std::string_view unix_scheme = "ipc://";

// A Unix socket that listens, and its name in the file system, which is removed in the end. A name
// that a dead process left is taken over; that of a live one is not.
class UnixListeningSocket {
 public:
  // In `directory`, which must be ours alone. Throws std::system_error with a sentence.
  UnixListeningSocket(std::string const& directory, std::string const& name);
  UnixListeningSocket(UnixListeningSocket const&) = delete;
  UnixListeningSocket& operator=(UnixListeningSocket const&) = delete;
  ~UnixListeningSocket();

  std::string const& path() const noexcept { return path_; }

  std::string endpoint() const { return std::string(unix_scheme) + path_; }

  // Hands the descriptor over, to be closed by the caller.
  int release() noexcept;

 private:
  std::string path_;
  int fd_ = -1;
  // Of the name: somebody may have replaced it.
  ino_t inode_ = 0;
};

}  // namespace tractor::ipc
