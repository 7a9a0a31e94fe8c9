// SPDX-License-Identifier: BSL-1.0
// An actor with two contexts: a one-way stream that counts for ever, and a two-way one that sends
// back what it gets. Says "flowing" when items of both have come, and "cleaned up" for each of the
// two functions that is told to end.
#include <tractor/tractor.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <unistd.h>

namespace {

// One write a line: several processes say something at once.
void say(std::string const& line) {
  if (write(STDOUT_FILENO, (line + "\n").data(), line.size() + 1) < 0) abort();
}

// Until it is cancelled, or finds that the other end of its stream was.
template <class Body> void until_told(Body body) {
  try {
    body();
  } catch (...) {
    say("cleaned up");
    throw;
  }
}

void count_for_ever(tractor::SendStream<int>& stream) {
  until_told([&] {
    for (int i = 0;; ++i) stream.send(i);
  });
}

struct Words {
  using ToCallee = std::string;
  using ToCaller = std::string;
};

void send_back(tractor::Context<Words>& ctx) {
  until_told([&] {
    auto stream = ctx.open_stream();
    for (std::string const& word : stream) stream.send(word);
  });
}

}  // namespace

int main() {
  return tractor::run([] {
    say("tree " + tractor::current_actor().tree_id());
    tractor::open_nursery([](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("daemon", tractor::expose<count_for_ever, send_back>);
      trio::Event counting;
      trio::open_nursery([&](trio::Nursery& tasks) {
        tasks.start_soon([&] {
          daemon.open_stream_from<count_for_ever>([&](auto& stream) {
            for (int const number : stream)
              if (number == 100) counting.set();
          });
        });
        daemon.open_context<send_back>([&](auto& ctx) {
          auto stream = ctx.open_stream();
          stream.send("there and back");
          stream.receive();
          counting.wait();
          say("flowing");
          for (;;) {
            stream.send("there and back");
            stream.receive();
          }
        });
      });
    });
  });
}
