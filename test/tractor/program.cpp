// SPDX-License-Identifier: BSL-1.0
#include "program.hpp"

#include "support.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace support {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int a_minute_ms = 60'000;

// What an actor tells all that it starts, and passes on itself: whose it is.
constexpr char const* lineage_variable = "TRACTOR_LINEAGE";

// For a tree whose root was killed to be gone, to the last of its helpers.
constexpr std::chrono::seconds survivors_patience(5);

bool becomes_readable(int fd, int timeout_ms) {
  pollfd entry = {fd, POLLIN, 0};
  return poll(&entry, 1, timeout_ms) > 0;
}

[[noreturn]] void fail_to(char const* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::array<int, 2> a_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) fail_to("pipe");
  return ends;
}

// Our side of a new terminal that passes on what is written as it is; it still makes ctrl-C a
// signal.
int raw_terminal() {
  int const ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ours < 0 || grantpt(ours) < 0 || unlockpt(ours) < 0) fail_to("open a terminal");
  termios settings = {};
  tcgetattr(ours, &settings);
  settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(ours, TCSANOW, &settings);
  return ours;
}

// A name that no other program has had.
std::string new_lineage() {
  static int made = 0;
  char const* const inherited = std::getenv(lineage_variable);
  return (inherited ? inherited + std::string("/") : std::string()) + "program-" +
         std::to_string(getpid()) + "-" + std::to_string(Clock::now().time_since_epoch().count()) +
         "-" + std::to_string(++made);
}

}  // namespace

Program::Program(std::string const& name, std::vector<std::string> const& arguments,
                 Streams streams)
    : lineage_(new_lineage()) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  std::array<int, 2> output = {-1, -1}, errors = {-1, -1};
  if (streams == Streams::terminal) {
    output[0] = raw_terminal();
    // The first that a session leader opens becomes its own.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, ptsname(output[0]), O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
  } else {
    // A process group of its own, as a shell gives it.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    output = a_pipe();
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    if (streams == Streams::errors_stalled) errors = a_pipe();
    if (streams == Streams::errors_read) errors[1] = dup(output[1]);
    if (errors[1] >= 0) posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
  }
  std::string path = program(name);
  std::vector<std::string> words = arguments;
  std::vector<char*> argv = {path.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string marked = std::string(lineage_variable) + "=" + lineage_;
  std::vector<char*> variables = {marked.data()};
  for (char** variable = environ; *variable; ++variable)
    if (!std::string_view(*variable).starts_with(std::string(lineage_variable) + "="))
      variables.push_back(*variable);
  variables.push_back(nullptr);
  int const error =
      posix_spawn(&pid_, path.c_str(), &actions, &attributes, argv.data(), variables.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  for (int end : {output[1], errors[1]})
    if (end >= 0) close(end);
  output_ = output[0];
  unread_errors_ = errors[0];
  if (error != 0) throw std::system_error(error, std::generic_category(), path);
}

Program::~Program() {
  if (!status_) {
    signal(SIGKILL);
    wait();
  }
  close(output_);
  if (unread_errors_ >= 0) close(unread_errors_);
  CHECK(survivors() == std::vector<std::string>());
}

std::vector<std::string> Program::survivors() const {
  auto const until = Clock::now() + survivors_patience * slowness();
  for (;;) {
    auto found = living_actors(lineage_);
    if (found.empty() || Clock::now() >= until) return found;
    Doomed(found).alive_after(
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()));
  }
}

std::optional<std::string> Program::read_line() {
  for (;;) {
    if (auto const end = pending_.find('\n'); end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4096> buffer;
    if (!becomes_readable(output_, a_minute_ms)) return std::nullopt;
    ssize_t const got = ::read(output_, buffer.data(), buffer.size());
    if (got <= 0) return std::nullopt;
    pending_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::vector<std::string> Program::read(std::string const& word, std::size_t count) {
  std::vector<std::string> found;
  while (found.size() < count) {
    auto const line = read_line();
    REQUIRE_MESSAGE(line, "the program said '", word, "' only ", found.size(), " times");
    if (line->starts_with(word)) found.push_back(line->substr(word.size()));
  }
  return found;
}

void Program::type(std::string const& text) {
  if (write(output_, text.data(), text.size()) < 0) fail_to("type");
}

void Program::signal(int number) { kill(pid_, number); }

void Program::signal_group(int number) { kill(-pid_, number); }

int Program::wait() {
  if (status_) return *status_;
  int const process = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  bool const ended = becomes_readable(process, a_minute_ms);
  close(process);
  REQUIRE_MESSAGE(ended, "the program does not end");
  int status = 0;
  waitpid(pid_, &status, 0);
  status_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  return *status_;
}

Doomed::Doomed(std::vector<std::string> const& pids) {
  for (std::string const& pid : pids) {
    int const process = static_cast<int>(syscall(SYS_pidfd_open, std::stoi(pid), 0));
    if (process >= 0) processes_.push_back(process);
  }
}

Doomed::~Doomed() {
  for (int process : processes_) close(process);
}

std::size_t Doomed::alive_after(std::chrono::milliseconds patience) const {
  auto const until = Clock::now() + patience;
  std::size_t alive = 0;
  for (int process : processes_) {
    auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    if (!becomes_readable(process, std::max(0, static_cast<int>(left.count())))) ++alive;
  }
  return alive;
}

}  // namespace support
