// SPDX-License-Identifier: BSL-1.0
// Names to listen at.
#include "../../../lib/tractor/ipc/unix_listening_socket.hpp"
#include "child.hpp"
#include "support.hpp"

#include <fstream>
#include <string>
#include <system_error>

#include <sys/stat.h>

using namespace ipc_test;

namespace {

// What listening as `name` fails with; 0 if it does not.
int error_of_listening(Transport& transport, std::string const& name) {
  try {
    (void)transport.listen(name);
    return 0;
  } catch (std::system_error const& error) {
    return error.code().value();
  }
}

}  // namespace

TEST_CASE("an ipc listener is a socket of that name, gone with the listener") {
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    for (int i = 0; i < 3; ++i) {
      auto const listener = transport->listen("name");
      CHECK(listener->endpoint() == "ipc://" + scene.directory.path() + "/name");
      CHECK(scene.directory.names() == std::vector<std::string>{"name"});
    }
    CHECK(scene.directory.names().empty());
  });
}

TEST_CASE("a tcp listener is on the loopback interface, and says which port it got") {
  play(TransportKind::tcp, [](Scene& scene) {
    auto const transport = scene.transport();
    auto const one = transport->listen("name");
    auto const other = transport->listen("name");
    CHECK(one->endpoint().starts_with("tcp://127.0.0.1:"));
    CHECK(one->endpoint() != other->endpoint());
    CHECK(one->endpoint().back() != '*');
    scene.options.address = "no such address";
    CHECK_THROWS_AS((void)scene.transport()->listen("name"), TransportClosed);
  });
}

TEST_CASE("the name of a live listener is refused, and left alone") {
  play(TransportKind::ipc, [](Scene& scene) {
    Pair pair(scene);
    auto const another = scene.transport();
    CHECK(error_of_listening(*another, "here") == EADDRINUSE);
    auto const link = pair.listener->expect("late");
    auto const dialled = another->connect(pair.listener->endpoint(), "late");
    dialled->wait_connected();
  });
}

TEST_CASE("the name that a killed process left is taken over") {
  TemporaryDirectory const directory;
  {
    Child child([&](std::string const&) {
      tractor::ipc::UnixListeningSocket socket(directory.path(), "name");
      _exit(0);
    });
    child.tell("go");
    child.await_stop();
  }
  CHECK(directory.names() == std::vector<std::string>{"name"});
  play(TransportKind::ipc, [&](Scene& scene) {
    scene.options.directory = directory.path();
    Pair const pair(scene);
    CHECK(pair.listener->endpoint() == "ipc://" + directory.path() + "/here");
    auto const taken_over = pair.accepting->listen("name");
    auto const link = taken_over->expect("somebody else");
    auto const dialled = pair.dialling->connect(taken_over->endpoint(), "somebody else");
    dialled->wait_connected();
  });
  CHECK(directory.names().empty());
}

TEST_CASE("what is no socket is not removed") {
  play(TransportKind::ipc, [](Scene& scene) {
    std::ofstream(scene.directory.path() + "/file") << "precious";
    CHECK(error_of_listening(*scene.transport(), "file") == EEXIST);
    CHECK(scene.directory.names() == std::vector<std::string>{"file"});
  });
}

TEST_CASE("a listener does not remove the name of its successor") {
  TemporaryDirectory const directory;
  auto const path = directory.path() + "/name";
  {
    tractor::ipc::UnixListeningSocket const first(directory.path(), "name");
    std::rename(path.c_str(), (path + ".gone").c_str());
    tractor::ipc::UnixListeningSocket const second(directory.path(), "name");
    std::rename(path.c_str(), (path + ".second").c_str());
    tractor::ipc::UnixListeningSocket third(directory.path(), "name");
    std::rename((path + ".second").c_str(), path.c_str());
  }
  CHECK(directory.names() == std::vector<std::string>{"name.gone"});
}

TEST_CASE("a path that is too long is refused with a sentence") {
  play(TransportKind::ipc, [](Scene& scene) {
    auto const transport = scene.transport();
    std::size_t const room = 107 - scene.directory.path().size() - 1;
    CHECK(error_of_listening(*transport, std::string(room, 'n')) == 0);
    CHECK(error_of_listening(*transport, std::string(room + 1, 'n')) == ENAMETOOLONG);
  });
}

TEST_CASE("a directory that is not ours alone is refused") {
  play(TransportKind::ipc, [](Scene& scene) {
    chmod(scene.directory.path().c_str(), 0755);
    CHECK(error_of_listening(*scene.transport(), "name") == EPERM);
    scene.options.directory = scene.directory.path() + "/missing";
    CHECK(error_of_listening(*scene.transport(), "name") == ENOENT);
  });
}
