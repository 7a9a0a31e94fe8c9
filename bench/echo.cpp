// SPDX-License-Identifier: BSL-1.0
// A server that echoes what thousands of connections send, by trio or by bare epoll:
//
//   bench_echo trio|epoll FILE CLIENTS...
//
// CLIENTS is the program that connects, the same for all servers: see echo_clients.cpp.
#include "record.hpp"

#include <trio/trio.hpp>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

int checked(int result, char const* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

// The "@" stands for the zero byte of a name that is in no file system.
std::string socket_name() { return fmt::format("@tractor-bench-{}", getpid()); }

std::string socket_path() {
  std::string path = socket_name();
  path.front() = '\0';
  return path;
}

void serve_by_trio(trio::SocketStream& stream) {
  std::array<char, 4096> buffer;
  while (std::size_t const got = stream.receive_some(std::span(buffer)))
    stream.send_all({buffer.data(), got});
}

double echo_by_trio(std::vector<std::string> clients) {
  return trio::run([&] {
           return trio::open_nursery([&](trio::Nursery& nursery) -> std::optional<double> {
             nursery.start(trio::serve_unix, serve_by_trio, socket_path());
             clients.push_back(socket_name());
             double const time =
                 std::stod(trio::run_process(clients, {.capture_output = true}).output);
             nursery.cancel_scope().cancel();
             return time;
           });
         })
      .value();
}

// As serve_by_trio, for all connections, until the last is closed.
void serve_by_epoll(int listening) {
  int const epoll = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  int open = 0;
  auto const add = [&](int fd) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = fd;
    checked(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    ++open;
  };
  add(listening);
  std::array<epoll_event, 64> events;
  do {
    int const count = checked(epoll_wait(epoll, events.data(), events.size(), -1), "epoll_wait");
    for (int i = 0; i < count; ++i) {
      int const fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listening) {
        add(checked(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC), "accept"));
        continue;
      }
      std::array<char, 4096> buffer;
      ssize_t const got = recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        close(fd);
        --open;
      } else {
        send(fd, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
      }
    }
  } while (open > 1);
  close(epoll);
}

double echo_by_epoll(std::vector<std::string> clients) {
  auto const address = trio::SocketAddress::unix_path(socket_path());
  int const listening = checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  checked(bind(listening, address.get(), address.length()), "bind");
  checked(listen(listening, trio::largest_backlog), "listen");
  clients.push_back(socket_name());
  std::string command;
  for (std::string const& word : clients) command.append(word).append(" ");
  FILE* const output = popen(command.c_str(), "r");
  serve_by_epoll(listening);
  double time = 0;
  bool const told = output && fscanf(output, "%lf", &time) == 1;
  if (!told || pclose(output) != 0) throw std::runtime_error("the clients have failed");
  close(listening);
  return time;
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view const whose = argc > 3 ? argv[1] : "";
  if (whose != "trio" && whose != "epoll") {
    fmt::print(stderr, "usage: {} trio|epoll FILE CLIENTS...\n", argv[0]);
    return 2;
  }
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  std::vector<std::string> const clients(argv + 3, argv + argc);
  bench::Record record;
  record.add_figure(fmt::format("{}_echo", whose),
                    whose == "trio" ? echo_by_trio(clients) : echo_by_epoll(clients));
  record.write(argv[2]);
}
