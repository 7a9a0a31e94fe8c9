// SPDX-License-Identifier: BSL-1.0
#include "process_group.hpp"

#include <trio/descriptor.hpp>
#include <trio/io.hpp>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/syscall.h>
#include <unistd.h>

namespace trio::detail {

namespace {

// What is in /proc/PID/stat after the name, which may contain anything.
bool lives_in_group(std::string const& pid, pid_t group) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string const text{std::istreambuf_iterator<char>(file), {}};
  std::size_t const name_end = text.rfind(')');
  if (name_end == std::string::npos) return false;
  char state = 0;
  pid_t parent = 0;
  pid_t its_group = 0;
  std::istringstream(text.substr(name_end + 1)) >> state >> parent >> its_group;
  return its_group == group && state != 'Z' && state != 'X';
}

// A process of the group that lives, by its pidfd; a closed one if there is none.
Descriptor find_member(pid_t leader) {
  std::error_code ignored;
  for (auto const& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    std::string const name = entry.path().filename();
    pid_t pid = 0;
    auto const [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size() || pid == leader) continue;
    if (!lives_in_group(name, leader)) continue;
    Descriptor member(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    // Asked again: the number may have been given to another process in between.
    if (member.get() >= 0 && lives_in_group(name, leader)) return member;
  }
  return Descriptor();
}

}  // namespace

void wait_for_rest_of_group(pid_t leader) {
  for (Descriptor member = find_member(leader); member.get() >= 0; member = find_member(leader))
    lowlevel::wait_readable(member.get());
}

}  // namespace trio::detail
