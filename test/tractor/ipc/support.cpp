// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace ipc_test {

PrivateDirectory::PrivateDirectory() : path_("/tmp/test-of-links-XXXXXX") {
  if (!mkdtemp(path_.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp");
}

PrivateDirectory::~PrivateDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> PrivateDirectory::names() const {
  std::vector<std::string> found;
  for (auto const& entry : std::filesystem::directory_iterator(path_))
    found.push_back(entry.path().filename().string());
  return found;
}

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

void play(TransportKind kind, std::function<void(Scene&)> const& act) {
  PrivateDirectory directory;
  std::vector<std::string> reports;
  ZmqOptions options;
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
