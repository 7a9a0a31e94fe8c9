// SPDX-License-Identifier: BSL-1.0
#include "bare_process.hpp"

#include "bare_fan_out.hpp"
#include "bare_socket.hpp"
#include "bare_zmq.hpp"

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

constexpr char const* mark = "--bare";

}  // namespace

BareProcess::BareProcess(std::initializer_list<std::string> words) {
  std::vector<std::string> arguments = {"/proc/self/exe", mark};
  arguments.insert(arguments.end(), words);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (int const error = posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ))
    throw std::system_error(error, std::generic_category(), "posix_spawn");
}

BareProcess::BareProcess(BareProcess&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}

BareProcess::~BareProcess() { wait(); }

void BareProcess::kill() const { ::kill(pid_, SIGKILL); }

void BareProcess::wait() {
  if (pid_ == 0) return;
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
  pid_ = 0;
}

void run_if_bare(int argc, char** argv) {
  if (argc != 4 || argv[1] != std::string_view(mark)) return;
  std::string_view const word = argv[2];
  if (word == zmq_hello) say_hello_by_zmq(argv[3]);
  if (word == zmq_service) serve_by_zmq(argv[3]);
  if (word == zmq_subscriber) subscribe_by_zmq(argv[3]);
  if (word == socket_echo) echo_by_socket(std::atoi(argv[3]));
  // As a program of its own would end.
  std::exit(0);
}

}  // namespace bench
