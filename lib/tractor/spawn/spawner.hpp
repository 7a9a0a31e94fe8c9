// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/buffer.hpp>
#include <trio/descriptor.hpp>
#include <trio/exit_status.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tractor::spawn {

using trio::ExitStatus;

// A process to start, in which an actor will find `specification`.
struct Command {
  // What to execute; empty: this program.
  std::string executable = {};
  // argv[0] is what `ps` shows.
  std::vector<std::string> arguments = {};
  // "NAME=value", on top of our own environment.
  std::vector<std::string> variables = {};
  Buffer specification = {};
  // Whether the kernel is to kill it when we end.
  bool dies_with_us = true;
  // Whether its standard error comes to us, see Process::errors; otherwise it goes where ours goes.
  bool captures_errors = false;
};

// A process that we started. Never outlives its owner: destroying it kills and reaps the process.
class Process {
 public:
  Process() = default;
  Process(Process const&) = delete;
  Process& operator=(Process const&) = delete;
  virtual ~Process() = default;

  virtual pid_t pid() const noexcept = 0;

  // Waits until the process has ended, and reaps it; says how it ended, or nothing if somebody else
  // has reaped it. A checkpoint. Afterwards gives the same answer at once.
  virtual std::optional<ExitStatus> wait() = 0;

  // Sends a signal, if it has not been reaped. Not a checkpoint.
  virtual void signal(int number) noexcept = 0;

  // Another descriptor (pidfd) for it, for other threads; none if it is no process of the kernel's.
  virtual trio::Descriptor handle() const = 0;

  // The reading end, non-blocking, of a pipe that is its standard error; -1 if it has another one.
  virtual int errors() const noexcept = 0;

  // Whether a debugger holds it, so that its silence means nothing. Not a checkpoint.
  virtual bool is_traced() const = 0;
};

// A way to bring processes into the world.
class Spawner {
 public:
  Spawner() = default;
  Spawner(Spawner const&) = delete;
  Spawner& operator=(Spawner const&) = delete;
  virtual ~Spawner() = default;

  // Starts a process. Not a checkpoint. Throws SpawnError.
  virtual std::unique_ptr<Process> spawn(Command const& command) = 0;
};

}  // namespace tractor::spawn
