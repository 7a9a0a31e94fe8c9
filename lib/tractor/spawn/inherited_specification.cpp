// SPDX-License-Identifier: BSL-1.0
#include "inherited_specification.hpp"

#include <tractor/errors.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tractor::spawn {

namespace {

constexpr std::array<char, 16> mark = {'t', 'r', 'a', 'c', 't', 'o', 'r', ' ',
                                       's', 'p', 'a', 'w', 'n', ' ', '1', '\n'};
constexpr int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

// The whole memfd, mapped for good; empty if there is none that was meant for us.
std::span<std::byte const> take() noexcept {
  int const fd = specification_descriptor;
  int const found = fcntl(fd, F_GET_SEALS);
  if (found < 0 || (found & seals) != seals) return {};
  std::array<char, mark.size()> begin{};
  if (pread(fd, begin.data(), begin.size(), 0) != static_cast<ssize_t>(begin.size()) ||
      begin != mark)
    return {};
  struct stat status = {};
  fstat(fd, &status);
  auto const size = static_cast<std::size_t>(status.st_size);
  void* const memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  // Ours alone, not our own children's.
  for (int ours : {lifeline_descriptor, tree_errors_descriptor}) fcntl(ours, F_SETFD, FD_CLOEXEC);
  if (memory == MAP_FAILED) {
    // Not to know that it was spawned would make it a root, which spawns again.
    static constexpr char sentence[] = "tractor: a spawned process cannot map its specification\n";
    static_cast<void>(write(STDERR_FILENO, sentence, sizeof sentence - 1));
    _exit(127);
  }
  return {static_cast<std::byte const*>(memory), size};
}

std::span<std::byte const> inherited() noexcept {
  static std::span<std::byte const> const taken = take();
  return taken;
}

// Before anything of the program can start a process, which would inherit the descriptor.
__attribute__((constructor(101))) void take_early() { static_cast<void>(inherited()); }

[[noreturn]] void fail(char const* what) {
  throw SpawnError(std::string("tractor: cannot hand a specification to a new actor: ") + what +
                   ": " + std::strerror(errno));
}

void write_all(int fd, void const* data, std::size_t size) {
  auto const* at = static_cast<std::byte const*>(data);
  while (size > 0) {
    ssize_t const written = write(fd, at, size);
    if (written < 0) fail("write");
    at += written;
    size -= static_cast<std::size_t>(written);
  }
}

}  // namespace

int make_specification_descriptor(std::span<std::byte const> specification) {
  int const fd = memfd_create("tractor specification", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) fail("memfd_create");
  try {
    write_all(fd, mark.data(), mark.size());
    write_all(fd, specification.data(), specification.size());
    if (fcntl(fd, F_ADD_SEALS, seals) < 0) fail("sealing");
  } catch (...) {
    close(fd);
    throw;
  }
  return fd;
}

int tree_errors() noexcept { return was_spawned() ? tree_errors_descriptor : STDERR_FILENO; }

bool was_spawned() noexcept { return !inherited().empty(); }

std::span<std::byte const> inherited_specification() noexcept {
  return was_spawned() ? inherited().subspan(mark.size()) : inherited();
}

}  // namespace tractor::spawn
