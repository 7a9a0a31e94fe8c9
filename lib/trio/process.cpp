// SPDX-License-Identifier: BSL-1.0
#include "process_group.hpp"
#include "zero_byte.hpp"

#include <trio/cancel_scope.hpp>
#include <trio/detail/environment.hpp>
#include <trio/detail/keep_frame.hpp>
#include <trio/errors.hpp>
#include <trio/lowlevel.hpp>
#include <trio/owned_child.hpp>
#include <trio/process.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace trio {

namespace {

void check(int error, char const* what) {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

// What the new process does with its descriptors before it becomes the program.
class FileActions {
 public:
  FileActions() { check(posix_spawn_file_actions_init(&actions_), "trio: posix_spawn"); }

  FileActions(FileActions const&) = delete;
  FileActions& operator=(FileActions const&) = delete;

  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }

  void open_null(int fd) {
    check(posix_spawn_file_actions_addopen(&actions_, fd, "/dev/null", O_RDWR, 0),
          "trio: posix_spawn");
  }

  void copy(Descriptor const& from, int to) {
    check(posix_spawn_file_actions_adddup2(&actions_, from.get(), to), "trio: posix_spawn");
  }

  void close_all_from(int fd) {
    check(posix_spawn_file_actions_addclosefrom_np(&actions_, fd), "trio: posix_spawn");
  }

  void change_directory(std::string const& directory) {
    check(posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str()), "trio: posix_spawn");
  }

  posix_spawn_file_actions_t const* get() const noexcept { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// A session of its own, and signals as a program expects them.
class Attributes {
 public:
  Attributes() {
    check(posix_spawnattr_init(&attributes_), "trio: posix_spawn");
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    // What we ignore, it would ignore as well: a SIGPIPE that is to end it, a SIGTERM of ours.
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }

  Attributes(Attributes const&) = delete;
  Attributes& operator=(Attributes const&) = delete;

  ~Attributes() { posix_spawnattr_destroy(&attributes_); }

  posix_spawnattr_t const* get() const noexcept { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

void check_has_no_zero_byte(std::string const& text) {
  if (detail::has_zero_byte(text))
    throw std::invalid_argument("trio: open_process was given a text with a zero byte in it");
}

// Throws std::invalid_argument for what the program would not get as it is here.
void check_arguments(std::vector<std::string> const& command, ProcessOptions const& options) {
  if (command.empty()) throw std::invalid_argument("trio: open_process needs a command");
  std::ranges::for_each(command, check_has_no_zero_byte);
  std::ranges::for_each(options.variables, check_has_no_zero_byte);
  check_has_no_zero_byte(options.directory);
  for (std::string const& variable : options.variables)
    if (variable.starts_with('=') || variable.find('=') == std::string::npos)
      throw std::invalid_argument("trio: a variable of a program is \"NAME=value\", not \"" +
                                  variable + "\"");
}

// Never at a number that another is to be copied to: somebody may have closed a standard one.
Descriptor above_standard(Descriptor given) {
  Descriptor above(fcntl(given.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (above.get() < 0) check(errno, "trio: cannot make a pipe for a program");
  return above;
}

struct PipeEnds {
  Descriptor reading;
  Descriptor writing;
};

PipeEnds make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) check(errno, "trio: cannot make a pipe for a program");
  Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  return {above_standard(std::move(reading)), above_standard(std::move(writing))};
}

// Makes the descriptor `fd` of a program to be; returns our end if it is a pipe.
Descriptor arrange(Stdio kind, int fd, FileActions& actions, std::vector<Descriptor>& theirs) {
  if (kind == Stdio::inherit) return Descriptor();
  if (kind == Stdio::null) {
    actions.open_null(fd);
    return Descriptor();
  }
  PipeEnds pipe = make_pipe();
  bool const reads = fd == STDIN_FILENO;
  theirs.push_back(std::move(reads ? pipe.reading : pipe.writing));
  actions.copy(theirs.back(), fd);
  return std::move(reads ? pipe.writing : pipe.reading);
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& one : strings) pointers.push_back(one.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The stream on our end of a pipe, if there is one.
template <class S> std::optional<S> stream_on(Descriptor end) {
  if (end.get() < 0) return std::nullopt;
  return S(std::move(end));
}

template <class S> S& existing(std::optional<S>& stream) {
  if (!stream) throw MisuseError("trio: this was not made a pipe (Stdio::pipe) for the program");
  return *stream;
}

}  // namespace

struct Process::State {
  State(std::vector<std::string> words, pid_t pid, Descriptor pidfd, Descriptor to_input,
        Descriptor from_output, Descriptor from_errors)
      : command(std::move(words)),
        child(pid, std::move(pidfd)),
        input(stream_on<FdSendStream>(std::move(to_input))),
        output(stream_on<FdReceiveStream>(std::move(from_output))),
        errors(stream_on<FdReceiveStream>(std::move(from_errors))) {}

  State(State const&) = delete;
  State& operator=(State const&) = delete;

  void end() noexcept {
    signal_group(SIGKILL);
    child.end();
    is_over = true;
  }

  ExitStatus wait() {
    auto const how = child.wait_for_end();
    if (!how) check(ECHILD, "trio: somebody else has reaped the program");
    return *how;
  }

  void signal_group(int number) noexcept {
    // Nobody else gets the group's number while the child has not been reaped, which only end()
    // does, or a stranger.
    bool const reaped_by_stranger = child.has_ended() && !child.status();
    if (!is_over && !reaped_by_stranger) kill(-child.pid(), number);
  }

  std::vector<std::string> command;
  lowlevel::OwnedChild child;
  std::optional<FdSendStream> input;
  std::optional<FdReceiveStream> output;
  std::optional<FdReceiveStream> errors;
  bool is_over = false;
};

Process::Process(std::shared_ptr<State> state) : state_(std::move(state)) {}

Process::Process(Process&&) noexcept = default;

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    if (state_) state_->end();
    state_ = std::move(other.state_);
  }
  return *this;
}

Process::~Process() {
  if (state_) state_->end();
}

pid_t Process::pid() const noexcept { return state_->child.pid(); }

std::vector<std::string> const& Process::command() const noexcept { return state_->command; }

FdSendStream& Process::input() { return existing(state_->input); }

FdReceiveStream& Process::output() { return existing(state_->output); }

FdReceiveStream& Process::errors() { return existing(state_->errors); }

ExitStatus Process::wait() {
  auto const kept = state_;
  return kept->wait();
}

std::optional<ExitStatus> Process::status() {
  static_cast<void>(state_->child.has_ended());
  return state_->child.status();
}

void Process::signal(int number) { state_->child.signal(number); }

void Process::signal_group(int number) { state_->signal_group(number); }

ExitStatus Process::terminate(Duration grace) {
  auto const kept = state_;
  kept->signal_group(SIGTERM);
  return shielded([&] {
    static_cast<void>(move_on_after(grace, [&] {
      kept->wait();
      detail::wait_for_rest_of_group(kept->child.pid());
    }));
    kept->signal_group(SIGKILL);
    return kept->wait();
  });
}

Process open_process(std::vector<std::string> command, ProcessOptions const& options) {
  check_arguments(command, options);
  lowlevel::checkpoint();
  FileActions actions;
  std::vector<Descriptor> theirs;
  Descriptor input = arrange(options.input, STDIN_FILENO, actions, theirs);
  Descriptor output = arrange(options.output, STDOUT_FILENO, actions, theirs);
  Descriptor errors = arrange(options.errors, STDERR_FILENO, actions, theirs);
  actions.close_all_from(STDERR_FILENO + 1);
  if (!options.directory.empty()) actions.change_directory(options.directory);
  std::vector<std::string> variables = options.variables;
  pid_t pid = -1;
  int const error =
      posix_spawnp(&pid, command.front().c_str(), actions.get(), Attributes().get(),
                   pointers_to(command).data(), detail::environment_with(variables).data());
  std::string const place = options.directory.empty() ? "" : " in " + options.directory;
  check(error, ("trio: cannot start " + command.front() + place).c_str());
  Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.get() < 0) {
    int const refused = errno;
    kill(-pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    check(refused, "trio: pidfd_open");
  }
  return Process(std::make_shared<Process::State>(std::move(command), pid, std::move(pidfd),
                                                  std::move(input), std::move(output),
                                                  std::move(errors)));
}

}  // namespace trio
