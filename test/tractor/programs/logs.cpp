// SPDX-License-Identifier: BSL-1.0
// Reads what an actor of its own logs on the standard error that it inherits from here; says "done"
// if it is what it should be.
#include <tractor/tractor.hpp>

#include <array>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace {

void log_something() {
  tractor::log(tractor::LogLevel::debug, "too little");
  tractor::log(tractor::LogLevel::cancel, "watch this");
}

}  // namespace

int main() {
  return tractor::run([]() -> int {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) < 0) return 1;
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      nursery.run_in_actor<log_something>(
          {.name = "logger", .log_level = tractor::LogLevel::cancel});
    });
    std::array<char, 4096> buffer{};
    ssize_t const got = read(ends[0], buffer.data(), buffer.size());
    std::string const text(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    bool const right = text.find("[logger (pid ") != std::string::npos &&
                       text.find("watch this") != std::string::npos &&
                       text.find("too little") == std::string::npos;
    std::string const verdict = right ? "done\n" : "wrong: " + text + "\n";
    return write(STDOUT_FILENO, verdict.data(), verdict.size()) > 0 && right ? 0 : 1;
  });
}
