// SPDX-License-Identifier: BSL-1.0
#include "roll.hpp"

#include <trio/io.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace bench {

namespace {

int checked(int result, char const* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

}  // namespace

Roll::Roll() {
  std::array<int, 2> ends{};
  checked(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), "pipe");
  read_ = ends[0];
  write_ = ends[1];
}

Roll::~Roll() {
  close(read_);
  close(write_);
}

std::string Roll::address() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(write_);
}

void Roll::wait_for(std::size_t count) {
  std::array<char, 256> signatures;
  while (count > 0) {
    trio::lowlevel::wait_readable(read_);
    ssize_t const got = read(read_, signatures.data(), std::min(count, signatures.size()));
    if (got > 0) count -= static_cast<std::size_t>(got);
  }
}

void Roll::sign(std::string const& address) {
  int const fd = checked(open(address.c_str(), O_WRONLY | O_CLOEXEC), "open");
  checked(static_cast<int>(write(fd, "x", 1)), "write");
  close(fd);
}

}  // namespace bench
