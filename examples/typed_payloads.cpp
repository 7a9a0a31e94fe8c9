// SPDX-License-Identifier: BSL-1.0
// Types are the protocol. What does not fit it is no program at all, for example:
//
//   ctx.started("text");   // error: this does not convert to the Started of the protocol
//   stream.send(3.5);      // error: this does not convert to what the protocol of this stream
//   sends
//
// Between two programs that were built from different sources, the same is asked when one first
// calls the other: that is a SignatureMismatch, which prints both signatures.
#include <tractor/tractor.hpp>

#include <string>

#include <fmt/core.h>

struct Point {
  int x = 0;
  int y = 0;

  template <class Archive> void serialize(Archive& archive) { archive(x, y); }
};

struct Doubling {
  using Started = std::string;
  using ToCallee = Point;
  using ToCaller = Point;
};

int double_points(tractor::Context<Doubling>& ctx) {
  ctx.started("ready");
  int count = 0;
  auto stream = ctx.open_stream();
  for (Point point : stream) {
    stream.send(Point{2 * point.x, 2 * point.y});
    ++count;
  }
  return count;
}

void amain() {
  fmt::print("the protocol: {}\n", tractor::signature_text<double_points>());
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    auto portal = nursery.start_actor("doubler", tractor::expose<double_points>);
    int const count = portal.open_context<double_points>([](auto& ctx, std::string const& word) {
      fmt::print("{}\n", word);
      auto stream = ctx.open_stream();
      for (int i = 1; i <= 3; ++i) {
        stream.send(Point{i, -i});
        Point const doubled = stream.receive();
        fmt::print("({}, {}) doubled is ({}, {})\n", i, -i, doubled.x, doubled.y);
      }
      stream.close();
      return ctx.result();
    });
    fmt::print("{} points\n", count);
    portal.cancel_actor();
  });
}

int main() { return tractor::run(amain); }
