// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <utility>

namespace ipc_test {

std::string text(Buffer const& bytes) {
  return {static_cast<char const*>(static_cast<void const*>(bytes.data())), bytes.size()};
}

std::string text(Frame const& received) {
  return text(received.header) + "|" + text(received.payload);
}

std::string reason_of(Link& link) {
  try {
    return "still open, and received " + text(link.receive());
  } catch (TransportClosed const& closed) {
    return closed.what();
  }
}

bool contains(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

std::string next_report(Scene& scene) {
  while (scene.reports.empty()) trio::sleep(1ms);
  std::string first = scene.reports.front();
  scene.reports.erase(scene.reports.begin());
  return first;
}

void play(TransportKind kind, std::function<void(Scene&)> const& act) {
  TemporaryDirectory const directory;
  std::vector<std::string> reports;
  TransportOptions options;
  options.kind = kind;
  options.directory = directory.path();
  options.report = [&reports](std::string const& what) { reports.push_back(what); };
  trio::run([&] {
    trio::fail_after(100s, [&] {
      trio::open_nursery([&](trio::Nursery& service) {
        Scene scene{service, options, directory, reports};
        act(scene);
        service.cancel_scope().cancel("the play is over");
      });
    });
  });
}

}  // namespace ipc_test
