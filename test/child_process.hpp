// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// How a program ended, and what it wrote to its standard error.
struct Ending {
  // Of the two, the other is 0.
  int signal = 0;
  int exit_code = 0;
  std::string errors;

  bool says(std::string const& text) const { return errors.find(text) != std::string::npos; }
};

// Runs the hidden (skipped) test case `name` (without a comma: doctest would take it for two) of
// this program as a program of its own: for what ends the process. If it hangs, SIGALRM ends it
// after a minute.
inline Ending run_hidden_case(std::string const& name) {
  std::array<char, 4096> self{};
  std::array<int, 2> ends{};
  if (readlink("/proc/self/exe", self.data(), self.size() - 1) < 0 ||
      pipe2(ends.data(), O_CLOEXEC) < 0)
    throw std::system_error(errno, std::generic_category(), "run_hidden_case");
  std::string everything = "--no-skip";
  std::string only = "--test-case=" + name;
  std::array<char*, 4> const arguments = {self.data(), everything.data(), only.data(), nullptr};
  pid_t const pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    alarm(60);
    execv(self.data(), arguments.data());
    _exit(127);
  }
  close(ends[1]);

  Ending ending;
  std::array<char, 4096> buffer{};
  for (;;) {
    ssize_t const got = read(ends[0], buffer.data(), buffer.size());
    if (got > 0) ending.errors.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
  if (WIFEXITED(status)) ending.exit_code = WEXITSTATUS(status);
  return ending;
}

// In a hidden case: takes away the handlers that doctest and the sanitizers have installed.
inline void die_by_default() {
  signal(SIGSEGV, SIG_DFL);
  signal(SIGABRT, SIG_DFL);
}

inline void check_died_of(Ending const& ending, int signal) {
  INFO(ending.errors);
  CHECK(ending.signal == signal);
}
