// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <stdlib.h>

namespace support {

// A directory of mode 0700, removed with what is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(std::filesystem::temp_directory_path() / "trio-test-XXXXXX") {
    if (!mkdtemp(path_.data()))
      throw std::system_error(errno, std::generic_category(), "cannot make a directory, " + path_);
  }

  TemporaryDirectory(TemporaryDirectory const&) = delete;
  TemporaryDirectory& operator=(TemporaryDirectory const&) = delete;

  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string const& path() const noexcept { return path_; }

  std::string operator/(std::string const& name) const { return path_ + "/" + name; }

  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (auto const& entry : std::filesystem::directory_iterator(path_))
      found.push_back(entry.path().filename().string());
    return found;
  }

  // From now on, this process and those it starts make their temporary files in here. Another
  // user's may pass through, to what is its own.
  void take_over() const {
    std::filesystem::permissions(path_, std::filesystem::perms(0711));
    setenv("TMPDIR", path_.c_str(), 1);
  }

 private:
  std::string path_;
};

}  // namespace support
