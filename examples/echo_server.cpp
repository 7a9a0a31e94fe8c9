// SPDX-License-Identifier: BSL-1.0
// A TCP server that sends back what it receives, and three clients, in one program: the server runs
// in a nursery, each connection in a task of its own, and is cancelled when the clients are done.
#include <trio/trio.hpp>

#include <cstdint>
#include <string>

#include <fmt/core.h>

void echo(trio::SocketStream& stream) {
  for (std::string const& piece : stream) stream.send_all(piece);
}

void client(std::string const& name, std::uint16_t port) {
  trio::SocketStream stream = trio::open_tcp_stream("127.0.0.1", port);
  trio::BufferedReader reader(stream);
  for (int i = 1; i <= 3; ++i) {
    stream.send_all(fmt::format("{} says {}\n", name, i));
    fmt::print("{} hears: {}\n", name, reader.receive_line().value());
  }
  stream.send_eof();
  fmt::print("{} hears {}\n", name, reader.receive_line() ? "more" : "the end");
}

int main() {
  trio::run([] {
    trio::open_nursery([](trio::Nursery& nursery) {
      // Port 0: any that is free.
      auto const addresses =
          nursery.start(trio::serve_tcp, echo, 0, trio::TcpListenOptions{.host = "127.0.0.1"});
      trio::open_nursery([&](trio::Nursery& clients) {
        for (char const* name : {"anna", "bert", "cleo"})
          clients.start_soon(client, name, addresses[0].port());
      });
      fmt::print("all clients are done\n");
      nursery.cancel_scope().cancel();
    });
    fmt::print("the server is gone\n");
  });
}
