// SPDX-License-Identifier: BSL-1.0
#include "child.hpp"

#include <cerrno>
#include <exception>
#include <system_error>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipc_test {

Child::Child(std::function<void(std::string const&)> const& act) {
  int ends[2];
  if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  pid_ = fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    close(ends[1]);
    try {
      room_.take_over();
      std::string endpoint(200, '\0');
      auto const size = read(ends[0], endpoint.data(), endpoint.size());
      if (size <= 0) _exit(1);
      endpoint.resize(static_cast<std::size_t>(size));
      act(endpoint);
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  close(ends[0]);
  told_ = ends[1];
}

Child::~Child() {
  close(told_);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Child::tell(std::string const& endpoint) {
  if (write(told_, endpoint.data(), endpoint.size()) != static_cast<ssize_t>(endpoint.size()))
    throw std::system_error(errno, std::generic_category(), "write");
}

void Child::signal(int number) { kill(pid_, number); }

void Child::await_stop() { waitpid(pid_, nullptr, WUNTRACED); }

void dial(TransportKind kind, std::string const& endpoint, std::string const& identity,
          std::function<void(Transport&, Link&)> const& act) {
  play(kind, [&](Scene& scene) {
    auto const transport = scene.transport();
    auto const link = transport->connect(endpoint, identity);
    link->wait_connected();
    act(*transport, *link);
  });
}

}  // namespace ipc_test
