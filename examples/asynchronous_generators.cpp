// SPDX-License-Identifier: BSL-1.0
// A function that sends what it makes, as it is wanted: whoever has enough leaves, and that ends
// it.
#include <tractor/tractor.hpp>

#include <string>

#include <fmt/core.h>

void stream_forever(tractor::SendStream<std::string>& stream) {
  for (;;)
    for (char letter = 'a'; letter <= 'z'; ++letter) stream.send(std::string(1, letter));
}

void amain() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    auto portal = nursery.start_actor("streamer", tractor::expose<stream_forever>);

    portal.open_stream_from<stream_forever>([](auto& stream) {
      int count = 0;
      for (std::string letter : stream) {
        fmt::print("{}\n", letter);
        if (++count == 30) break;
      }
    });  // the function over there was cancelled

    fmt::print("stream terminated\n");
    portal.cancel_actor();
  });
}

int main() { return tractor::run(amain); }
