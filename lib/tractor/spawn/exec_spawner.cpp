// SPDX-License-Identifier: BSL-1.0
#include "exec_spawner.hpp"

#include "inherited_specification.hpp"

#include <tractor/errors.hpp>
#include <trio/descriptor.hpp>
#include <trio/detail/environment.hpp>
#include <trio/owned_child.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tractor::spawn {

namespace {

class ExecProcess final : public Process {
 public:
  ExecProcess(pid_t pid, trio::Descriptor pidfd, trio::Descriptor lifeline,
              trio::Descriptor errors) noexcept
      : lifeline_(std::move(lifeline)), errors_(std::move(errors)), child_(pid, std::move(pidfd)) {}

  pid_t pid() const noexcept override { return child_.pid(); }

  std::optional<ExitStatus> wait() override { return child_.wait(); }

  void signal(int number) noexcept override { child_.signal(number); }

  trio::Descriptor handle() const override {
    return trio::Descriptor(fcntl(child_.pidfd(), F_DUPFD_CLOEXEC, 0));
  }

  int errors() const noexcept override { return errors_.get(); }

  bool is_traced() const override {
    constexpr std::string_view key = "TracerPid:\t";
    std::ifstream file("/proc/" + std::to_string(pid()) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with(key)) return line.substr(key.size()) != "0";
    return false;
  }

 private:
  // Never written to: that it closes when we end, however that comes, is what it says.
  trio::Descriptor const lifeline_;
  trio::Descriptor const errors_;
  // Last, to be dead before its lifeline closes.
  trio::lowlevel::OwnedChild child_;
};

// What the new process is to do before it becomes the program. It shares our memory and borrows our
// time (CLONE_VFORK), so it may only make system calls; what it leaves behind is an error number.
struct Birth {
  char const* executable;
  char* const* arguments;
  char* const* environment;
  int specification;
  int lifeline;
  int tree_errors;
  int null;
  // Or -1.
  int errors;
  bool dies_with_us;
  pid_t parent;
  sigset_t mask;
  int error = 0;
};

// Every descriptor comes from above those that it is copied to.
__attribute__((no_sanitize("address", "thread", "undefined"))) bool arrange_descriptors(
    Birth const& birth) noexcept {
  // An actor never reads the terminal.
  return dup2(birth.null, STDIN_FILENO) >= 0 &&
         (birth.errors < 0 || dup2(birth.errors, STDERR_FILENO) >= 0) &&
         dup2(birth.specification, specification_descriptor) >= 0 &&
         dup2(birth.lifeline, lifeline_descriptor) >= 0 &&
         dup2(birth.tree_errors, tree_errors_descriptor) >= 0 &&
         syscall(SYS_close_range, last_fixed_descriptor + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
}

// Has the kernel kill this process, whatever it is doing, when its parent ends: twice, as a death
// signal also comes when only the thread ends that made us, and none comes after executing a
// program with privileges; and as a lifeline also holds while somebody has a copy of its other end.
__attribute__((no_sanitize("address", "thread", "undefined"))) void die_with_parent(
    Birth const& birth) noexcept {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  fcntl(lifeline_descriptor, F_SETOWN, getpid());
  fcntl(lifeline_descriptor, F_SETSIG, SIGKILL);
  fcntl(lifeline_descriptor, F_SETFL, O_ASYNC | O_NONBLOCK);
  // If it died before these lines, we have another parent now.
  if (getppid() != birth.parent) _exit(127);
}

// No handler of our parent's may run on our stack, in its memory. The table of handlers is our own.
__attribute__((no_sanitize("address", "thread", "undefined"))) void forget_handlers() noexcept {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action = {};
    if (sigaction(number, nullptr, &action) < 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = SIG_DFL;
    sigaction(number, &action, nullptr);
  }
}

__attribute__((no_sanitize("address", "thread", "undefined"))) int be_born(void* argument) {
  auto& birth = *static_cast<Birth*>(argument);
  if (!arrange_descriptors(birth)) {
    birth.error = errno;
    _exit(127);
  }
  if (birth.dies_with_us) die_with_parent(birth);
  forget_handlers();
  sigprocmask(SIG_SETMASK, &birth.mask, nullptr);
  execve(birth.executable, birth.arguments, birth.environment);
  birth.error = errno;
  _exit(127);
}

[[noreturn]] void cannot(char const* what) {
  throw SpawnError(std::string("tractor: cannot ") + what + ": " + std::strerror(errno));
}

// Never at a number that it will have in the child or that another will be copied to.
trio::Descriptor above_reach(trio::Descriptor given) {
  trio::Descriptor above(fcntl(given.get(), F_DUPFD_CLOEXEC, last_fixed_descriptor + 1));
  if (above.get() < 0) cannot("make a descriptor for a new process");
  return above;
}

struct Pipe {
  trio::Descriptor read;
  trio::Descriptor write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) cannot("make a pipe for a new process");
  trio::Descriptor read(ends[0]);
  trio::Descriptor write(ends[1]);
  return {above_reach(std::move(read)), above_reach(std::move(write))};
}

class ExecSpawner final : public Spawner {
 public:
  ExecSpawner()
      : stack_(mmap(nullptr, stack_size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
    if (stack_ == MAP_FAILED) throw std::bad_alloc();
  }

  ~ExecSpawner() override { munmap(stack_, stack_size); }

  std::unique_ptr<Process> spawn(Command const& command) override {
    // This very file, even if another has taken its name since.
    std::string const executable =
        command.executable.empty() ? "/proc/self/exe" : command.executable;
    std::vector<std::string> arguments = command.arguments;
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);

    std::vector<std::string> variables = command.variables;
    std::vector<char*> const environment = trio::detail::environment_with(variables);
    trio::Descriptor const specification =
        above_reach(trio::Descriptor(make_specification_descriptor(command.specification.bytes())));
    trio::Descriptor opened(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (opened.get() < 0) cannot("open /dev/null");
    trio::Descriptor const null = above_reach(std::move(opened));
    trio::Descriptor const tree_errors(
        fcntl(spawn::tree_errors(), F_DUPFD_CLOEXEC, last_fixed_descriptor + 1));
    Pipe lifeline = make_pipe();
    Pipe errors;
    if (command.captures_errors) {
      errors = make_pipe();
      fcntl(errors.read.get(), F_SETFL, O_NONBLOCK);
    }
    Birth birth = {};
    birth.executable = executable.c_str();
    birth.arguments = argv.data();
    birth.environment = environment.data();
    birth.specification = specification.get();
    birth.lifeline = lifeline.read.get();
    // Somebody may have closed the standard error.
    birth.tree_errors = tree_errors.get() >= 0 ? tree_errors.get() : null.get();
    birth.null = null.get();
    birth.errors = errors.write.get();
    birth.dies_with_us = command.dies_with_us;
    birth.parent = getpid();

    // No handler of ours may run in the child while it shares our memory.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &birth.mask);
    int pidfd = -1;
    pid_t const pid = clone(be_born, static_cast<char*>(stack_) + stack_size,
                            CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &birth, &pidfd);
    int const clone_error = errno;
    pthread_sigmask(SIG_SETMASK, &birth.mask, nullptr);
    if (pid < 0) fail(command, executable, clone_error);
    auto process = std::make_unique<ExecProcess>(pid, trio::Descriptor(pidfd),
                                                 std::move(lifeline.write), std::move(errors.read));
    if (birth.error != 0) fail(command, executable, birth.error);
    return process;
  }

 private:
  static constexpr std::size_t stack_size = 64 * 1024;

  [[noreturn]] static void fail(Command const& command, std::string const& executable, int error) {
    std::string const& title = command.arguments.empty() ? executable : command.arguments.front();
    throw SpawnError("tractor: cannot start " + title + " from " + executable + ": " +
                     std::strerror(error));
  }

  void* stack_;
};

}  // namespace

std::unique_ptr<Spawner> make_exec_spawner() { return std::make_unique<ExecSpawner>(); }

}  // namespace tractor::spawn
