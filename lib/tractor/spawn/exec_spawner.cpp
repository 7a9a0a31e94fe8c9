// SPDX-License-Identifier: BSL-1.0
#include "exec_spawner.hpp"

#include "inherited_specification.hpp"

#include <tractor/errors.hpp>
#include <trio/io.hpp>
#include <trio/lowlevel.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <optional>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tractor::spawn {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}

  Descriptor(Descriptor const&) = delete;
  Descriptor& operator=(Descriptor const&) = delete;

  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }

  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

class ExecProcess final : public Process {
 public:
  ExecProcess(pid_t pid, int pidfd) noexcept : pid_(pid), pidfd_(pidfd) {}

  ~ExecProcess() override {
    if (status_) return;
    signal(SIGKILL);
    reap(0);
  }

  pid_t pid() const noexcept override { return pid_; }

  ExitStatus wait() override {
    if (status_)
      trio::lowlevel::checkpoint();
    else
      trio::lowlevel::wait_readable(pidfd_.get());
    while (!status_) reap(0);
    return *status_;
  }

  void signal(int number) noexcept override {
    // By descriptor: the number may have been given to another process since.
    if (!status_) syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
  }

 private:
  void reap(int flags) noexcept {
    siginfo_t info = {};
    if (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info,
               WEXITED | flags) < 0) {
      if (errno == EINTR) return;
      // Somebody else reaped it: how it ended is lost.
      status_ = ExitStatus{-1, false};
    } else {
      status_ = ExitStatus{info.si_status, info.si_code != CLD_EXITED};
    }
  }

  pid_t const pid_;
  Descriptor const pidfd_;
  std::optional<ExitStatus> status_;
};

// What the new process is to do before it becomes the program. It shares our memory and borrows our
// time (CLONE_VFORK), so it may only make system calls; what it leaves behind is an error number.
struct Birth {
  char const* executable;
  char* const* arguments;
  int specification;
  int null;
  pid_t parent;
  sigset_t mask;
  int error = 0;
};

__attribute__((no_sanitize("address", "thread", "undefined"))) int be_born(void* argument) {
  auto& birth = *static_cast<Birth*>(argument);
  // Death of the thread that made us; if it died before this line, we have another parent now.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != birth.parent) _exit(127);
  // An actor never reads the terminal.
  if (dup2(birth.null, STDIN_FILENO) < 0 ||
      dup2(birth.specification, specification_descriptor) < 0) {
    birth.error = errno;
    _exit(127);
  }
  syscall(SYS_close_range, specification_descriptor + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  sigprocmask(SIG_SETMASK, &birth.mask, nullptr);
  execv(birth.executable, birth.arguments);
  birth.error = errno;
  _exit(127);
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

    Descriptor const specification(make_above_reach(command.specification.bytes()));
    Descriptor const null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    Birth birth = {};
    birth.executable = executable.c_str();
    birth.arguments = argv.data();
    birth.specification = specification.get();
    birth.null = null.get();
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
    auto process = std::make_unique<ExecProcess>(pid, pidfd);
    if (birth.error != 0) fail(command, executable, birth.error);
    return process;
  }

 private:
  static constexpr std::size_t stack_size = 64 * 1024;

  // Never at the number it will have in the child: dup2 to itself would leave it closed on exec.
  static int make_above_reach(std::span<std::byte const> specification) {
    Descriptor const made(make_specification_descriptor(specification));
    return fcntl(made.get(), F_DUPFD_CLOEXEC, specification_descriptor + 1);
  }

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
