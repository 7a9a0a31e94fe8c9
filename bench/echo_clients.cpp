// SPDX-License-Identifier: BSL-1.0
// The other end of every echo server that is measured: bench_echo_clients CONNECTIONS ROUNDS @NAME
//
// Connects so many times to an abstract Unix socket; then, round by round, sends 64 bytes on each
// connection and waits for all the echoes. Prints how many nanoseconds an echo took.
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

constexpr std::size_t message_size = 64;

int checked(int result, char const* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

int connect_to(std::string const& name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // The first byte stays zero.
  std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
  int const fd = checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  auto const length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  checked(connect(fd, reinterpret_cast<sockaddr const*>(&address), length), "connect");
  return fd;
}

void run_round(int epoll, std::vector<int> const& connections) {
  std::array<char, message_size> message{};
  for (int fd : connections)
    checked(static_cast<int>(send(fd, message.data(), message.size(), MSG_NOSIGNAL)), "send");
  std::size_t missing = connections.size() * message.size();
  std::array<epoll_event, 64> events;
  while (missing > 0) {
    int const count = checked(epoll_wait(epoll, events.data(), events.size(), -1), "epoll_wait");
    for (int i = 0; i < count; ++i) {
      int const fd = events[static_cast<std::size_t>(i)].data.fd;
      ssize_t const got = recv(fd, message.data(), message.size(), 0);
      if (got <= 0) throw std::runtime_error("a connection was closed");
      missing -= static_cast<std::size_t>(got);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s CONNECTIONS ROUNDS @NAME\n", argv[0]);
    return 2;
  }
  int const count = std::atoi(argv[1]);
  int const rounds = std::atoi(argv[2]);
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  int const epoll = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  std::vector<int> connections;
  for (int i = 0; i < count; ++i) {
    connections.push_back(connect_to(argv[3]));
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = connections.back();
    checked(epoll_ctl(epoll, EPOLL_CTL_ADD, connections.back(), &event), "epoll_ctl");
  }
  // Now all have been accepted and have a task, at the latest.
  run_round(epoll, connections);
  auto const begin = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) run_round(epoll, connections);
  std::chrono::duration<double, std::nano> const time = std::chrono::steady_clock::now() - begin;
  std::printf("%.1f\n", time.count() / rounds / count);
}
