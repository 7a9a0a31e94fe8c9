// SPDX-License-Identifier: BSL-1.0
#include "warden.hpp"

#include "inherited_specification.hpp"
#include "lineage.hpp"

#include <trio/descriptor.hpp>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tractor::spawn {

namespace {

constexpr std::string_view order = "warden of ";
// For what was killed to be gone; it may be writing a core file.
constexpr int patience_ms = 1000;

void keep_nothing_of_the_parent() {
  // Whoever reads the root's output to its end must not wait for us.
  int const null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
  // Neither the terminal's signals nor those to the root's group.
  setsid();
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1}) ::signal(number, SIG_IGN);
  prctl(PR_SET_NAME, "tractor_warden");
}

// Whichever tells first: the lifeline may be held open by somebody who was forked from the root.
void await_end_of(pid_t root) {
  trio::Descriptor const process(static_cast<int>(syscall(SYS_pidfd_open, root, 0)));
  // Somebody else may have its number by now.
  if (getppid() != root) return;
  pollfd ends[] = {{lifeline_descriptor, POLLIN, 0}, {process.get(), POLLIN, 0}};
  while (poll(ends, 2, -1) < 0 && errno == EINTR) {}
}

[[noreturn]] void keep_watch(std::string_view tree_id, pid_t root) {
  keep_nothing_of_the_parent();
  await_end_of(root);
  // They may be starting others: until none is left.
  std::string const ids[] = {std::string(tree_id)};
  for (auto left = find_descendants(ids); !left.empty(); left = find_descendants(ids)) {
    for (trio::Descriptor const& process : left) signal(process, SIGKILL);
    for (trio::Descriptor const& process : left) {
      pollfd gone = {process.get(), POLLIN, 0};
      poll(&gone, 1, patience_ms);
    }
  }
  _exit(0);
}

// Before anything else of the program: it is executed only for the code that it contains.
__attribute__((constructor(101))) void become_warden_if_spawned_as_one() {
  std::span<std::byte const> const given = inherited_specification();
  std::string_view const text(reinterpret_cast<char const*>(given.data()), given.size());
  if (!text.starts_with(order)) return;
  std::size_t const end_of_id = text.rfind(' ');
  keep_watch(text.substr(order.size(), end_of_id - order.size()),
             std::stoi(std::string(text.substr(end_of_id + 1))));
}

}  // namespace

std::unique_ptr<Process> start_warden(Spawner& spawner, std::string const& tree_id) {
  Command command;
  command.arguments = {"_tractor_warden[@" + tree_id + "]"};
  command.specification =
      Buffer::adopt(std::string(order) + tree_id + " " + std::to_string(getpid()));
  command.dies_with_us = false;
  return spawner.spawn(command);
}

}  // namespace tractor::spawn
