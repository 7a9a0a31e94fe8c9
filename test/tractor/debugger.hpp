// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

namespace support {

// Holds a process as a debugger does: all of its threads stand still.
class Debugger {
 public:
  explicit Debugger(pid_t pid) {
    std::filesystem::path const threads = "/proc/" + std::to_string(pid) + "/task";
    for (auto const& thread : std::filesystem::directory_iterator(threads))
      threads_.push_back(std::stoi(thread.path().filename()));
    for (pid_t const thread : threads_) {
      REQUIRE(ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0);
      REQUIRE(ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0);
      REQUIRE(waitpid(thread, nullptr, __WALL) == thread);
    }
  }

  Debugger(Debugger const&) = delete;
  Debugger& operator=(Debugger const&) = delete;

  ~Debugger() {
    for (pid_t const thread : threads_) ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
  }

 private:
  std::vector<pid_t> threads_;
};

}  // namespace support
