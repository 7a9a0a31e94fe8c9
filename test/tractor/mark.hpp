// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <filesystem>
#include <fstream>
#include <string>

namespace support {

// A file whose end tells that something was done.
class Mark {
 public:
  Mark() { std::ofstream(path_) << "x"; }

  Mark(Mark const&) = delete;
  Mark& operator=(Mark const&) = delete;

  ~Mark() { std::filesystem::remove(path_); }

  std::string const& path() const noexcept { return path_; }

  bool is_there() const { return std::filesystem::exists(path_); }

 private:
  std::string path_ = std::filesystem::temp_directory_path() / "mark";
};

}  // namespace support
