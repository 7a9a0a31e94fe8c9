// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../../../lib/tractor/ipc/transport.hpp"
#include "../../temporary_directory.hpp"

#include <trio/trio.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace tractor {

inline std::ostream& operator<<(std::ostream& out, TransportKind kind) {
  return out << (kind == TransportKind::ipc ? "ipc" : "tcp");
}

}  // namespace tractor

namespace ipc_test {

using namespace std::chrono_literals;
using support::TemporaryDirectory;
using tractor::Buffer;
using tractor::TransportClosed;
using tractor::TransportKind;
using tractor::ipc::Frame;
using tractor::ipc::Lane;
using tractor::ipc::Link;
using tractor::ipc::Listener;
using tractor::ipc::Transport;
using tractor::ipc::TransportOptions;

inline Buffer buffer(std::string_view text) { return Buffer::adopt(std::string(text)); }

std::string text(Buffer const& bytes);

inline Frame frame(std::string_view header, std::string_view payload) {
  return {buffer(header), buffer(payload)};
}

// "header|payload".
std::string text(Frame const& received);

// What a receive() that finds the link over says.
std::string reason_of(Link& link);

bool contains(std::string const& text, std::string const& part);

// Everything that a case needs, in a run of its own.
struct Scene {
  trio::Nursery& service;
  TransportOptions options;
  TemporaryDirectory const& directory;
  // What the transports reported.
  std::vector<std::string>& reports;

  std::unique_ptr<Transport> transport() { return tractor::ipc::make_transport(service, options); }
};

// Waits until something was reported.
std::string next_report(Scene& scene);

// Plays `act` in a run, and ends the service nursery afterwards. Fails if it takes too long.
void play(TransportKind kind, std::function<void(Scene&)> const& act);

inline void play_on_each(std::function<void(Scene&)> const& act) {
  for (auto const kind : {TransportKind::ipc, TransportKind::tcp}) {
    CAPTURE(kind);
    play(kind, act);
  }
}

// Two connected ends of a link, each with a transport of its own.
struct Pair {
  explicit Pair(Scene& scene, std::string const& name = "here")
      : accepting(scene.transport()),
        dialling(scene.transport()),
        listener(accepting->listen(name)),
        accepted(listener->expect("somebody")),
        dialled(dialling->connect(listener->endpoint(), "somebody")) {
    dialled->wait_connected();
    accepted->wait_connected();
  }

  std::unique_ptr<Transport> accepting;
  std::unique_ptr<Transport> dialling;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Link> accepted;
  std::unique_ptr<Link> dialled;
};

}  // namespace ipc_test
