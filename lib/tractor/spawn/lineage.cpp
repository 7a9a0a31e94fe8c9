// SPDX-License-Identifier: BSL-1.0
#include "lineage.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

namespace tractor::spawn {

namespace {

// The environment with which `pid` executed its program, a zero before each variable; nothing more
// than that if it is a zombie, or not ours to see.
std::string environment_of(std::string const& pid) {
  trio::Descriptor const file(open(("/proc/" + pid + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
  std::string environment(1, '\0');
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    ssize_t const got = read(file.get(), buffer.data(), buffer.size());
    if (got <= 0) return environment;
    environment.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

bool is_descendant(std::string const& environment, std::span<std::string const> ids) {
  std::string const name = std::string(1, '\0') + lineage_variable + "=";
  std::size_t const found = environment.find(name);
  if (found == std::string::npos) return false;
  std::size_t const begin = found + name.size();
  std::string const lineage = environment.substr(begin, environment.find('\0', begin) - begin);
  return std::any_of(ids.begin(), ids.end(), [&](std::string const& id) {
    return lineage.find(id) != std::string_view::npos;
  });
}

}  // namespace

std::string inherited_lineage() {
  char const* const inherited = std::getenv(lineage_variable);
  return inherited ? inherited : "";
}

std::string lineage_from_here(std::string_view id) {
  std::string const inherited = inherited_lineage();
  return (inherited.empty() ? inherited : inherited + "/") + std::string(id);
}

std::vector<trio::Descriptor> find_descendants(std::span<std::string const> ids) {
  std::vector<trio::Descriptor> found;
  std::error_code ignored;
  for (auto const& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    std::string const name = entry.path().filename();
    pid_t pid = 0;
    auto const [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size() || pid == getpid()) continue;
    // First, so that what is read and what is killed are one and the same process.
    trio::Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (process.get() >= 0 && is_descendant(environment_of(name), ids))
      found.push_back(std::move(process));
  }
  return found;
}

void signal(trio::Descriptor const& process, int number) noexcept {
  syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
}

}  // namespace tractor::spawn
