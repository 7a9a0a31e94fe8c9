// SPDX-License-Identifier: BSL-1.0
// Run a function in a process. Watch it from another terminal:
//   watch -n 0.1 "pstree -a $(pgrep -o single_func)"
#include <tractor/tractor.hpp>

#include <chrono>

#include <fmt/core.h>
#include <unistd.h>

using namespace std::chrono_literals;

pid_t burn_cpu() {
  // Burns a core, stopping 50,000 times to let others run.
  for (int i = 0; i < 50'000; ++i) trio::sleep(400ns);
  return getpid();
}

void amain() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    auto portal = nursery.run_in_actor<burn_cpu>();  // a new process
    burn_cpu();                                      // burn rubber in the parent too
    fmt::print("Collected subproc {}\n", portal.result());
  });  // the process is reaped here, always
}

int main() { return tractor::run(amain); }
