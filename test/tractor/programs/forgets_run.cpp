// SPDX-License-Identifier: BSL-1.0
// A main that forgets tractor::run: in a child it comes to open_nursery again, as if it were the
// root.
#include <tractor/tractor.hpp>

#include <cstdio>

namespace {

int answer() { return 42; }

}  // namespace

int main() {
  std::puts("main begins");
  std::fflush(stdout);
  try {
    trio::run([] {
      tractor::open_nursery(
          [](tractor::ActorNursery& nursery) { nursery.run_in_actor<answer>().result(); });
    });
  } catch (trio::BaseExceptionGroup const& group) {
    if (auto const* died = group.find<tractor::ActorDied>())
      std::printf("the child ended with %d\n", died->exit_code());
  }
}
