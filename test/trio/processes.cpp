// SPDX-License-Identifier: BSL-1.0
#include "open_descriptors.hpp"
#include "stream_kinds.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::Log;
using trio::open_process;
using trio::run_process;
using trio::Stdio;

namespace {

std::vector<std::string> shell(std::string script) { return {"sh", "-c", std::move(script)}; }

trio::ExitStatus exited(int code) { return {code, false}; }

trio::ExitStatus killed(int signal) { return {signal, true}; }

// Waits until a process that is no child of ours has ended.
void await_end_of(pid_t pid) {
  trio::Descriptor const handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (handle.get() >= 0) trio::lowlevel::wait_readable(handle.get());
}

// What /proc says of a process: the value of a field of its status.
std::string status_field(pid_t pid, std::string const& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  return {};
}

std::string target_of(pid_t pid, int fd) {
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/" +
                                       std::to_string(fd));
}

constexpr std::ptrdiff_t much = 500'000;

// The first line that it writes, to know that it has come so far.
std::string first_line(trio::Process& process) {
  return trio::BufferedReader(process.output()).receive_line().value();
}

}  // namespace

TEST_CASE("a program's standard input and output keep the promises of a stream") {
  support::run_with_timeout([] {
    std::vector<trio::Process> programs;
    trio::testing::check_one_way_stream(
        [&] {
          programs.push_back(open_process({"cat"}, {.input = Stdio::pipe, .output = Stdio::pipe}));
          return support::OneWayStreams{
              std::make_unique<trio::FdSendStream>(std::move(programs.back().input())),
              std::make_unique<trio::FdReceiveStream>(std::move(programs.back().output()))};
        },
        nullptr);
  });
}

TEST_CASE("how a program ends is told to everybody who waits") {
  support::run_with_timeout([] {
    auto process = open_process(shell("read line; exit 3"), {.input = Stdio::pipe});
    CHECK(!process.status());
    int told = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      for (int i = 0; i < 3; ++i)
        nursery.start_soon([&] {
          CHECK(process.wait() == exited(3));
          ++told;
        });
      trio::testing::wait_all_tasks_blocked();
      CHECK(told == 0);
      process.input().close();
    });
    CHECK(told == 3);
    CHECK(process.status() == exited(3));
    trio::testing::assert_checkpoints([&] { CHECK(process.wait() == exited(3)); });
    // To nobody.
    process.signal(SIGKILL);
    process.signal_group(SIGKILL);
  });
}

TEST_CASE("status() knows of an end that nobody waits for") {
  support::run_with_timeout([] {
    auto process = open_process(shell("echo; exit 1"), {.output = Stdio::pipe});
    // The end of its output comes with its own, or just before.
    for (std::string const& piece : process.output()) CHECK(piece == "\n");
    while (!process.status()) trio::lowlevel::checkpoint();
    CHECK(process.status() == exited(1));
  });
}

TEST_CASE("a program that was killed says by which signal") {
  support::run_with_timeout([] {
    auto process = open_process({"sleep", "1000"});
    process.signal(SIGINT);
    CHECK(process.wait() == killed(SIGINT));
    CHECK(describe(killed(SIGKILL)) == "was killed by signal 9 (Killed)");
    CHECK(describe(exited(1)) == "exited with 1");
  });
}

TEST_CASE("a wait that is cancelled leaves the program alone") {
  support::run_with_timeout([] {
    auto process = open_process({"cat"}, {.input = Stdio::pipe});
    trio::CancelScope scope;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] { support::within(scope, [&] { process.wait(); }); });
      trio::testing::wait_all_tasks_blocked();
      scope.cancel();
    });
    CHECK(scope.cancelled_caught());
    CHECK(!process.status());
    process.input().close();
    CHECK(process.wait() == exited(0));
  });
}

TEST_CASE("one may talk with a program") {
  support::run_with_timeout([] {
    auto process =
        open_process(shell("while read a b; do echo $((a + b)); done; echo bye >&2"),
                     {.input = Stdio::pipe, .output = Stdio::pipe, .errors = Stdio::pipe});
    trio::StapledStream stdio(std::move(process.input()), std::move(process.output()));
    trio::BufferedReader reader(stdio);
    for (int i = 1; i < 4; ++i) {
      stdio.send_all(std::to_string(i) + " 40\n");
      CHECK(reader.receive_line() == std::to_string(i + 40));
    }
    stdio.send_eof();
    CHECK(!reader.receive_line());
    CHECK(process.errors().receive_some() == "bye\n");
    CHECK(process.wait() == exited(0));
  });
}

TEST_CASE("a stream that is no pipe cannot be had") {
  support::run_with_timeout([] {
    auto process = open_process({"true"});
    CHECK_THROWS_WITH_AS(process.input(),
                         "trio: this was not made a pipe (Stdio::pipe) for the program",
                         trio::MisuseError);
    CHECK_THROWS_AS(process.output(), trio::MisuseError);
    CHECK_THROWS_AS(process.errors(), trio::MisuseError);
  });
}

TEST_CASE("destroying a process kills the program and what it has started") {
  support::run_with_timeout([] {
    pid_t pid = 0;
    pid_t started = 0;
    {
      auto process = open_process(shell("sleep 1000 & echo $!; wait"), {.output = Stdio::pipe});
      pid = process.pid();
      started = std::stoi(first_line(process));
      CHECK(kill(started, 0) == 0);
    }
    CHECK(kill(pid, 0) == -1);
    await_end_of(started);
  });
}

TEST_CASE("who waits for a program whose Process is destroyed or replaced learns how it ended") {
  trio::run([] {
    for (bool const replaced : {false, true}) {
      std::optional<trio::Process> process(open_process(
          shell("trap '' TERM; echo ready; exec sleep 1000"), {.output = Stdio::pipe}));
      first_line(*process);
      int told = 0;
      trio::open_nursery([&](trio::Nursery& nursery) {
        nursery.start_soon([&] {
          CHECK(describe(process->wait()) == describe(killed(SIGKILL)));
          ++told;
        });
        nursery.start_soon([&] {
          CHECK(describe(process->terminate(10s)) == describe(killed(SIGKILL)));
          ++told;
        });
        trio::testing::wait_all_tasks_blocked();
        if (replaced)
          *process = open_process({"true"});
        else
          process.reset();
      });
      CHECK(told == 2);
    }
  });
}

TEST_CASE("a program has a session of its own, no terminal, and only its standard descriptors") {
  support::run_with_timeout([] {
    trio::Descriptor const leaked(open("/dev/null", O_RDONLY));
    REQUIRE(leaked.get() > 2);
    auto process = open_process({"sleep", "1000"}, {.errors = Stdio::inherit});
    CHECK(getsid(process.pid()) == process.pid());
    CHECK(getpgid(process.pid()) == process.pid());
    CHECK(target_of(process.pid(), 0) == "/dev/null");
    CHECK(target_of(process.pid(), 1) == "/dev/null");
    CHECK(target_of(process.pid(), 2) == target_of(getpid(), 2));
    // While a program is being loaded it has others, of its own.
    auto loaded = open_process({"cat"}, {.input = Stdio::pipe, .output = Stdio::pipe});
    loaded.input().send_all("up\n");
    CHECK(first_line(loaded) == "up");
    std::filesystem::directory_iterator const all("/proc/" + std::to_string(loaded.pid()) + "/fd");
    CHECK(std::distance(begin(all), end(all)) == 3);
    CHECK(run_process(shell("exec 3</dev/tty"), {.check = false}).status.status != 0);
  });
}

TEST_CASE("a program's signals are as by default, whatever ours are") {
  support::run_with_timeout([] {
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    auto const pipe_handler = std::signal(SIGPIPE, SIG_IGN);
    // Without which nobody could end it in good order.
    auto const term_handler = std::signal(SIGTERM, SIG_IGN);
    auto process = open_process({"sleep", "1000"});
    CHECK(std::stoull(status_field(process.pid(), "SigBlk"), nullptr, 16) == 0);
    // Beyond SIGSYS are the C library's own.
    CHECK((std::stoull(status_field(process.pid(), "SigIgn"), nullptr, 16) &
           ((1u << SIGSYS) - 1)) == 0);
    std::signal(SIGTERM, term_handler);
    std::signal(SIGPIPE, pipe_handler);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  });
}

TEST_CASE("a program gets its pipes though our own standard descriptors be closed") {
  support::run_with_timeout([] {
    trio::Descriptor const input(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10));
    trio::Descriptor const output(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10));
    support::AtEnd const restore{[&] {
      dup2(input.get(), STDIN_FILENO);
      dup2(output.get(), STDOUT_FILENO);
    }};
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    auto const completed =
        run_process(shell("cat; echo out; echo err >&2"),
                    {.input = "in\n", .capture_output = true, .capture_errors = true});
    CHECK(completed.output == "in\nout\n");
    CHECK(completed.errors == "err\n");
  });
}

TEST_CASE("a program that is not there says so") {
  trio::run([] {
    for (auto const& command : {std::vector<std::string>{"/nowhere/nothing"}, {"no-such-thing"}})
      try {
        run_process(command);
        FAIL("ran nothing");
      } catch (std::system_error const& error) {
        CHECK(error.code() == std::errc::no_such_file_or_directory);
        CHECK(std::string(error.what()) ==
              "trio: cannot start " + command[0] + ": No such file or directory");
      }
    CHECK_THROWS_AS(run_process({}), std::invalid_argument);
    // Which of the two is not there, the system does not say.
    CHECK_THROWS_WITH_AS(run_process({"true"}, {.directory = "/nowhere"}),
                         "trio: cannot start true in /nowhere: No such file or directory",
                         std::system_error);
  });
}

TEST_CASE("a program that somebody else has reaped has an unknown end") {
  support::run_with_timeout([] {
    auto process = open_process({"true"});
    REQUIRE(waitpid(process.pid(), nullptr, 0) == process.pid());
    CHECK_THROWS_AS(process.wait(), std::system_error);
    CHECK(!process.status());
  });
}

TEST_CASE("terminate() asks first and kills then") {
  support::run_with_timeout([] {
    auto polite = open_process(shell("trap 'exit 7' TERM; echo; while :; do sleep 0.01; done"),
                               {.output = Stdio::pipe});
    first_line(polite);
    CHECK(polite.terminate(60s) == exited(7));
    CHECK(polite.terminate() == exited(7));
  });
  // The grace passes in no time.
  support::run([] {
    auto deaf = open_process(shell("trap '' TERM; echo; while :; do sleep 1000; done"),
                             {.output = Stdio::pipe});
    first_line(deaf);
    auto const start = trio::current_time();
    CHECK(deaf.terminate(10s) == killed(SIGKILL));
    CHECK(trio::current_time() - start == 10s);
  });
}

TEST_CASE("terminate() gives what the program has started as much grace, and kills it then") {
  trio::testing::MockClock clock;
  trio::RunOptions options;
  options.clock = &clock;
  trio::run(options, [&] {
    auto process =
        open_process(shell("trap 'exit 7' TERM; sh -c 'trap \"\" TERM; echo $$; exec sleep 1000' &"
                           "while :; do sleep 0.01; done"),
                     {.output = Stdio::pipe});
    pid_t const deaf = std::stoi(first_line(process));
    bool terminated = false;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        CHECK(process.terminate(10s) == exited(7));
        terminated = true;
      });
      CHECK(process.wait() == exited(7));
      clock.jump(9s);
      trio::testing::wait_all_tasks_blocked();
      CHECK(!terminated);
      clock.jump(1s);
    });
    CHECK(terminated);
    await_end_of(deaf);
  });
  // It is not killed before, and not waited for when it is gone.
  support::run_with_timeout([] {
    auto process =
        open_process(shell("trap 'exit 7' TERM;"
                           "sh -c 'trap \"sleep 0.1; echo saved; exit\" TERM; echo up;"
                           "       while :; do sleep 0.01; done' & while :; do sleep 0.01; done"),
                     {.output = Stdio::pipe});
    trio::BufferedReader output(process.output());
    CHECK(output.receive_line() == "up");
    CHECK(process.terminate(1000s) == exited(7));
    CHECK(output.receive_line() == "saved");
  });
}

TEST_CASE("a program is run with its input and captured with its output") {
  support::run_with_timeout([] {
    auto const completed =
        run_process(shell("cat; echo two >&2; exit 0"),
                    {.input = "one", .capture_output = true, .capture_errors = true});
    CHECK(completed.status == exited(0));
    CHECK(completed.output == "one");
    CHECK(completed.errors == "two\n");
    CHECK(completed.command == shell("cat; echo two >&2; exit 0"));
    // Without input there is nothing to read, and what is not captured is not there.
    auto const other = run_process(shell("cat; echo one; echo two >&2"));
    CHECK(other.output.empty());
    CHECK(other.errors.empty());
    trio::testing::assert_checkpoints([] { run_process({"true"}); });
  });
}

TEST_CASE("a program runs where it is told to, with the variables it is given") {
  support::run_with_timeout([] {
    setenv("TRIO_TEST_KEPT", "kept", 1);
    setenv("TRIO_TEST_CHANGED", "old", 1);
    auto const completed =
        run_process(shell("pwd; echo $TRIO_TEST_KEPT $TRIO_TEST_CHANGED $TRIO_TEST_NEW"),
                    {.capture_output = true,
                     .directory = "/proc",
                     .variables = {"TRIO_TEST_CHANGED=changed", "TRIO_TEST_NEW=new"}});
    CHECK(completed.output == "/proc\nkept changed new\n");
  });
}

TEST_CASE("what the system would take for something else is refused") {
  support::run_with_timeout([] {
    std::string const zero("a\0b", 3);
    for (auto const& refused : {std::string("NAME"), std::string("=value"), "NAME=" + zero})
      CHECK_THROWS_AS(open_process({"true"}, {.variables = {refused}}), std::invalid_argument);
    CHECK_THROWS_AS(open_process({"true", zero}), std::invalid_argument);
    CHECK_THROWS_AS(open_process({"true"}, {.directory = "/proc/" + zero}), std::invalid_argument);
    CHECK(run_process(shell("echo \"$NAME\""), {.capture_output = true, .variables = {"NAME="}})
              .output == "\n");
  });
}

TEST_CASE("hidden: writes much into an enlarged pipe and ends" * doctest::skip()) {
  fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 1024 * 1024);
  std::string const said = std::to_string(getpid()) + "\n" + std::string(much, '\1');
  _exit(write(STDOUT_FILENO, said.data(), said.size()) == ssize_t(said.size()) ? 0 : 1);
}

TEST_CASE("all that a program has written is captured, whatever its pipe holds") {
  support::run_with_timeout([] {
    bool is_first = true;
    auto const completed =
        run_process({"/proc/self/exe", "--no-skip", "--no-intro", "--minimal",
                     "--test-case=hidden: writes much into an enlarged pipe and ends"},
                    {.capture_output = true, .on_output_line = [&](std::string_view line) {
                       // Everything is in the pipe before we go on.
                       if (!std::exchange(is_first, false)) return;
                       await_end_of(std::stoi(std::string(line)));
                       trio::testing::wait_all_tasks_blocked();
                     }});
    CHECK(std::ranges::count(completed.output, '\1') == much);
  });
}

TEST_CASE("much that goes in and out at once does not block anybody") {
  support::run_with_timeout([] {
    std::string const input(3'000'000, 'x');
    auto const completed = run_process(
        shell("tee /dev/stderr"), {.input = input, .capture_output = true, .capture_errors = true});
    CHECK(completed.output == input);
    CHECK(completed.errors == input);
    // Nor does input that is not read.
    run_process({"true"}, {.input = input});
  });
}

TEST_CASE("a program that fails is an error with its last words") {
  support::run_with_timeout([] {
    auto const command = shell("echo out; echo first >&2; echo last >&2; exit 3");
    try {
      run_process(command, {.capture_output = true});
      FAIL("it did not fail");
    } catch (trio::ProcessError const& error) {
      CHECK(error.status() == exited(3));
      CHECK(error.process().output == "out\n");
      CHECK(error.process().errors.empty());
      CHECK(error.process().command == command);
      CHECK(error.last_words() == "first\nlast\n");
      CHECK(std::string(error.what()) == "trio: sh exited with 3; its last words:\nfirst\nlast\n");
    }
    CHECK(run_process(command, {.check = false}).status == exited(3));
    CHECK_THROWS_WITH_AS(run_process(shell("kill -9 $$")),
                         "trio: sh was killed by signal 9 (Killed)", trio::ProcessError);
  });
}

TEST_CASE("of a long complaint the end is kept, from the begin of a line") {
  support::run_with_timeout([] {
    try {
      run_process(
          shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done >&2; exit 1"));
      FAIL("it did not fail");
    } catch (trio::ProcessError const& error) {
      CHECK(error.last_words().size() <= 16 * 1024);
      CHECK(error.last_words().size() > 16 * 1024 - 20);
      CHECK(error.last_words().starts_with("line "));
      CHECK(error.last_words().ends_with("\nline 19999\n"));
    }
  });
}

TEST_CASE("what a program writes is handed on line by line, as it comes") {
  support::run_with_timeout([] {
    Log output;
    Log errors;
    auto const completed =
        run_process(shell("echo one; echo; printf 'two\nth'; printf ree; echo wrong >&2"),
                    {.capture_output = true,
                     .on_output_line = [&](std::string_view line) { output.emplace_back(line); },
                     .on_error_line = [&](std::string_view line) { errors.emplace_back(line); }});
    CHECK(output == Log{"one", "", "two", "three"});
    CHECK(errors == Log{"wrong"});
    CHECK(completed.output == "one\n\ntwo\nthree");
  });
}

TEST_CASE("a line comes before the program has ended") {
  support::run_with_timeout([] {
    support::TemporaryDirectory const directory;
    std::string const fifo = directory / "go";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    trio::FdSendStream go(trio::Descriptor(open(fifo.c_str(), O_RDWR | O_CLOEXEC)));
    // The program waits for what the handler of its first line does.
    run_process(shell("echo ready; read line <" + fifo),
                {.on_output_line = [&](std::string_view line) {
                  CHECK(line == "ready");
                  go.send_all("go\n");
                }});
  });
}

TEST_CASE("a line without an end comes in pieces") {
  support::run_with_timeout([] {
    std::string const line(300'000, 'x');
    std::string whole;
    int pieces = 0;
    run_process({"cat"}, {.input = line, .on_output_line = [&](std::string_view piece) {
                            CHECK(piece.size() < 70'000);
                            whole += piece;
                            ++pieces;
                          }});
    CHECK(whole == line);
    CHECK(pieces == 5);
  });
}

TEST_CASE("a handler that waits makes the program wait") {
  support::run_with_timeout([] {
    int lines = 0;
    trio::Event go_on;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        run_process(shell("yes | head -c 1000000"), {.on_output_line = [&](std::string_view) {
                      go_on.wait();
                      ++lines;
                    }});
      });
      trio::testing::wait_all_tasks_blocked(20ms);
      CHECK(lines == 0);
      go_on.set();
    });
    CHECK(lines == 500'000);
  });
}

TEST_CASE("a handler's error ends the program and comes out as it is") {
  support::run_with_timeout([] {
    pid_t pid = 0;
    CHECK_THROWS_AS(
        run_process(shell("echo $$; sleep 1000"), {.on_output_line =
                                                       [&](std::string_view line) {
                                                         pid = std::stoi(std::string(line));
                                                         throw support::KeyError();
                                                       }}),
        support::KeyError);
    CHECK(kill(pid, 0) == -1);
  });
}

TEST_CASE("a cancelled run ends the program and what it has started, and hears its last words") {
  support::run_with_timeout([] {
    Log lines;
    pid_t started = 0;
    trio::CancelScope scope;
    support::within(scope, [&] {
      // It tells its number itself: before that it may still have the shell's trap.
      run_process(shell("trap 'echo terminated; exit 0' TERM; "
                        "sh -c 'echo $$; exec sleep 1000' & wait"),
                  {.on_output_line = [&](std::string_view line) {
                    if (lines.empty()) {
                      started = std::stoi(std::string(line));
                      scope.cancel();
                    }
                    lines.emplace_back(line);
                  }});
    });
    CHECK(scope.cancelled_caught());
    CHECK(lines.size() == 2);
    CHECK(lines.back() == "terminated");
    await_end_of(started);
  });
}

TEST_CASE("a cancelled run of a program that is deaf lasts as long as it has grace") {
  support::run([] {
    trio::CancelScope scope;
    auto start = trio::current_time();
    support::within(scope, [&] {
      run_process(shell("trap '' TERM; echo; while :; do sleep 1000; done"),
                  {.on_output_line =
                       [&](std::string_view) {
                         start = trio::current_time();
                         scope.cancel();
                       },
                   .grace = 10s});
    });
    CHECK(scope.cancelled_caught());
    CHECK(trio::current_time() - start == 10s);
  });
}

TEST_CASE("what a program has left behind is not waited for, but killed") {
  support::run_with_timeout([] {
    // It has all three of the program's pipes.
    auto const completed =
        run_process(shell("sleep 1000 <&0 & echo $!"),
                    {.input = std::string(1'000'000, 'x'), .capture_output = true});
    await_end_of(std::stoi(completed.output));
  });
  support::run_with_timeout([] {
    // Even if it writes for ever.
    auto const completed =
        run_process(shell("yes & echo $! >&2"), {.capture_output = true, .capture_errors = true});
    await_end_of(std::stoi(completed.errors));
  });
}

TEST_CASE("what has left the group of its program lives on") {
  support::run_with_timeout([] {
    // The program ends when what it has started has closed its output.
    auto const completed =
        run_process(shell("echo $(setsid sh -c 'echo $$; exec sleep 1000 >/dev/null' &)"),
                    {.capture_output = true});
    pid_t const left = std::stoi(completed.output);
    CHECK(kill(left, SIGKILL) == 0);
  });
}

TEST_CASE("a cancelled run may be ended in another way") {
  support::run_with_timeout([] {
    Log lines;
    trio::CancelScope scope;
    support::within(scope, [&] {
      run_process(shell("trap 'echo interrupted; exit 0' INT; trap '' TERM; echo up;"
                        "while :; do sleep 0.01; done"),
                  {.on_output_line =
                       [&](std::string_view line) {
                         lines.emplace_back(line);
                         scope.cancel();
                       },
                   .deliver_cancel =
                       [](trio::Process& process) {
                         // Shielded, and in a task of its own, which ends with the program.
                         trio::lowlevel::checkpoint();
                         process.signal(SIGINT);
                         trio::sleep_forever();
                       }});
    });
    CHECK(scope.cancelled_caught());
    CHECK(lines == Log{"up", "interrupted"});
  });
}

TEST_CASE("if the other way of ending a program fails, it is killed") {
  support::run_with_timeout([] {
    pid_t pid = 0;
    trio::CancelScope scope;
    auto const error = support::thrown_by([&] {
      support::within(scope, [&] {
        run_process(shell("echo $$; exec sleep 1000"),
                    {.on_output_line =
                         [&](std::string_view line) {
                           pid = std::stoi(std::string(line));
                           scope.cancel();
                         },
                     .deliver_cancel = [](trio::Process&) { throw support::KeyError(); }});
      });
    });
    CHECK(matches(error, support::of<support::KeyError>()));
    CHECK(kill(pid, 0) == -1);
  });
}

TEST_CASE("a nursery that starts a program learns its number") {
  support::run_with_timeout([] {
    Log lines;
    trio::open_nursery([&](trio::Nursery& nursery) {
      pid_t const pid = nursery.start(
          run_process,
          shell("trap 'echo done; exit 0' USR1; echo up; while :; do sleep 0.01; done"),
          trio::RunProcessOptions{
              .on_output_line = [&](std::string_view line) { lines.emplace_back(line); }});
      while (lines.empty()) trio::testing::wait_all_tasks_blocked(1ms);
      kill(pid, SIGUSR1);
    });
    CHECK(lines == Log{"up", "done"});
  });
}

TEST_CASE("a program that fails in a nursery fails the nursery") {
  support::run_with_timeout([] {
    auto const error = support::thrown_by([] {
      trio::open_nursery([](trio::Nursery& nursery) {
        nursery.start(run_process, shell("exit 1"), trio::RunProcessOptions{});
        trio::sleep_forever();
      });
    });
    CHECK(matches(error, support::group(support::of<trio::ProcessError>())));
  });
}

TEST_CASE("a cancelled or interrupted program hangs nowhere, and nothing of it is left") {
  auto const before = support::open_descriptors();
  std::uint64_t completed = 0;
  auto const scenario = [&] {
    auto const result = run_process(
        {"cat"}, {.input = "ping", .capture_output = true, .on_output_line = [](std::string_view) {
                    trio::lowlevel::checkpoint();
                  }});
    CHECK(result.output == "ping");
    ++completed;
  };
  for (auto const disturb :
       {trio::testing::cancel_at_every_checkpoint, trio::testing::interrupt_at_every_checkpoint}) {
    completed = 0;
    CHECK(disturb(scenario, {}) >= 4);
    CHECK(completed >= 1);
    CHECK(support::open_descriptors() == before);
    // No child either.
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
  }
}
