// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/exit_status.hpp>
#include <trio/fd_stream.hpp>
#include <trio/nursery.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace trio {

// What a program's standard input, output or error is.
enum class Stdio {
  null,     // /dev/null
  pipe,     // a pipe to us: Process::input(), output(), errors()
  inherit,  // ours
};

struct ProcessOptions {
  Stdio input = Stdio::null;
  Stdio output = Stdio::null;
  Stdio errors = Stdio::null;
  // Where it runs; empty: where we do.
  std::string directory = {};
  // "NAME=value", on top of our own environment.
  std::vector<std::string> variables = {};
};

// A program that was started as a child of this process. It leads a session and a process group of
// its own, so that it neither reads the terminal nor hears its ctrl-c, and gets no other descriptor
// of ours than its standard ones. Never outlives its owner: destroying a Process kills the program,
// and reaps it, and waits for that without letting other tasks run. (If this process is killed
// itself, nobody does that.) Tasks that are in wait() or terminate() then learn how it has ended;
// none may be in a function of its streams.
//
// The same holds for what the program has started and left behind, whether it ended by itself or
// was ended: destroying the Process kills all that is in the group still. What is to live on must
// leave the group, as daemons do (setsid).
//
// run_process() is what one mostly wants; this is for talking with a program meanwhile. For one
// run's thread only. Mirrors trio.Process.
class Process {
 public:
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  ~Process();

  pid_t pid() const noexcept;

  // Its name and arguments.
  std::vector<std::string> const& command() const noexcept;

  // The other ends of its standard input, output and error. A stream may be moved from here, into a
  // StapledStream say. Throw MisuseError if that is no pipe.
  FdSendStream& input();
  FdReceiveStream& output();
  FdReceiveStream& errors();

  // Waits until it has ended (it, not what it has started); says how. Any number of tasks may wait.
  // A checkpoint always. Cancelled or not, leaves the program alone. Throws std::system_error
  // (ECHILD) if somebody else has reaped it: SIGCHLD is ignored, or something waits for any child.
  ExitStatus wait();

  // How it ended; nothing if it runs. Not a checkpoint.
  std::optional<ExitStatus> status();

  // Sends a signal to the program, if it runs. Not a checkpoint.
  void signal(int number);
  // Sends a signal to its whole group: to what it has started, too, and still when it has ended
  // itself. Not a checkpoint.
  void signal_group(int number);

  // Ends it and its whole group: SIGTERM; and when `grace` is over, or as soon as all have ended,
  // SIGKILL, which nobody survives. Waits for the program's end, whatever is cancelled. A
  // checkpoint. Throws as wait() does.
  ExitStatus terminate(Duration grace = std::chrono::seconds(5));

 private:
  friend Process open_process(std::vector<std::string> command, ProcessOptions const& options);

  struct State;
  explicit Process(std::shared_ptr<State> state);

  // Shared with the tasks that wait in it.
  std::shared_ptr<State> state_;
};

// Starts the program `command[0]`, which is looked for in PATH if it has no slash, with the
// arguments that follow. Its signals are as they are by default, none blocked. A checkpoint before
// anything happens. Throws std::system_error if it cannot be started, std::invalid_argument for an
// empty command, a variable that is none, a zero byte. Mirrors trio.lowlevel.open_process.
Process open_process(std::vector<std::string> command, ProcessOptions const& options = {});

// How a program that was run to its end has ended, and what it has written, if that was captured.
// Mirrors Python's subprocess.CompletedProcess.
struct CompletedProcess {
  std::vector<std::string> command = {};
  ExitStatus status = {};
  std::string output = {};
  std::string errors = {};
};

// A program that was run has failed: it exited with another code than 0, or was killed. what() ends
// with its last words. Mirrors Python's subprocess.CalledProcessError.
class ProcessError : public std::runtime_error {
 public:
  ProcessError(CompletedProcess process, std::string last_words);

  CompletedProcess const& process() const noexcept { return *process_; }

  ExitStatus status() const noexcept { return process_->status; }

  // The end of what it wrote to its standard error, 16 KiB at the most.
  std::string const& last_words() const noexcept { return *last_words_; }

 private:
  // Shared, so that copying cannot throw, as std::exception asks.
  std::shared_ptr<CompletedProcess const> process_;
  std::shared_ptr<std::string const> last_words_;
};

// What is called with each line of a program's output, without the \n at its end. It is called in a
// task of run_process(), and may park: the program then waits too, when its pipe is full.
using LineHandler = std::function<void(std::string_view line)>;

struct RunProcessOptions {
  // What it reads from its standard input.
  std::string input = {};
  // Whether the result is to have what it writes.
  bool capture_output = false;
  bool capture_errors = false;
  // Called with each line that it writes, as it does. A line longer than 64 KiB comes in pieces.
  LineHandler on_output_line = {};
  LineHandler on_error_line = {};
  // Whether it is an error if the program fails.
  bool check = true;
  std::string directory = {};
  std::vector<std::string> variables = {};
  // Cancelled: how long it may take to end after SIGTERM, before SIGKILL.
  Duration grace = std::chrono::seconds(5);
  // Cancelled: called to end the program in another way, say by its standard input or by SIGINT,
  // behind a shield, in a task of run_process(), which then waits for the end for as long as it
  // takes; `grace` does not count. May park; is cancelled when the program has ended. If it throws,
  // the program is killed.
  std::function<void(Process&)> deliver_cancel = {};
};

// Runs a program to its end; see open_process() and Process. What it writes is captured, or handed
// on line by line, or both; otherwise its standard output is dropped, and of its standard error
// only the last words are kept. It never touches the terminal. What programs write that it has left
// behind is not waited for; they are killed, unless they have left its group (see Process).
//
//   auto const log = trio::run_process({"git", "log"}, {.capture_output = true}).output;
//
// Cancelled, or if a handler throws: the program is ended as Process::terminate() does, or by
// `deliver_cancel`, and waited for. Throws ProcessError if it fails (with `check`),
// std::system_error if it cannot be started, and what a handler or `deliver_cancel` throws, as it
// is (MultipleErrors if more than one does). Reports to nursery.start() the process's number. A
// checkpoint. Mirrors trio.run_process.
CompletedProcess run_process(std::vector<std::string> command,
                             RunProcessOptions const& options = {},
                             TaskStatus<pid_t>& status = task_status_ignored<pid_t>);

}  // namespace trio
