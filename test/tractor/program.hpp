// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace support {

// Where the standard streams of a program lead, besides its standard output, which is read here.
enum class Streams {
  inherited,
  // Its standard error is read here too.
  errors_read,
  // Its standard error is a pipe that nobody reads.
  errors_stalled,
  // All three are a terminal of its own, in whose foreground it is.
  terminal,
};

// A program of its own, with its standard output in our hands. If it still runs at the end, it is
// killed. Fails the test case if anything survives that it has started.
class Program {
 public:
  // One that was built beside this one.
  explicit Program(std::string const& name, std::vector<std::string> const& arguments = {},
                   Streams streams = Streams::inherited);
  Program(Program const&) = delete;
  Program& operator=(Program const&) = delete;
  ~Program();

  pid_t pid() const noexcept { return pid_; }

  // The next line that it (or what it has started) writes; empty if none comes within a minute.
  std::optional<std::string> read_line();
  // Reads lines until `count` of them begin with `word`, and returns the rest of those.
  std::vector<std::string> read(std::string const& word, std::size_t count);

  // At its terminal.
  void type(std::string const& text);

  void signal(int number);
  // To all processes of its group, as a terminal or a service manager does.
  void signal_group(int number);
  // Waits for its end, a minute at the most: the exit code, or minus the signal that killed it.
  int wait();

 private:
  // What lives of it, when that had time to end.
  std::vector<std::string> survivors() const;

  // In the environment of all that it starts, and of all that those start.
  std::string const lineage_;
  pid_t pid_ = 0;
  // Or the other side of its terminal.
  int output_ = -1;
  int unread_errors_ = -1;
  std::string pending_;
  std::optional<int> status_;
};

// Processes that are to end, held by descriptors (pidfd): numbers are used again.
class Doomed {
 public:
  explicit Doomed(std::vector<std::string> const& pids);
  Doomed(Doomed const&) = delete;
  Doomed& operator=(Doomed const&) = delete;
  ~Doomed();

  // How many are still alive `patience` from now, or as soon as none is.
  std::size_t alive_after(std::chrono::milliseconds patience) const;

 private:
  std::vector<int> processes_;
};

}  // namespace support
