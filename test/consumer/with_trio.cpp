// SPDX-License-Identifier: BSL-1.0
#include <trio/trio.hpp>

#include <chrono>

int main() {
  return trio::run([] {
    int answer = 0;
    trio::open_nursery([&](trio::Nursery& nursery) {
      nursery.start_soon([&] {
        trio::sleep(std::chrono::milliseconds(1));
        answer = 42;
      });
    });
    return answer == 42 ? 0 : 1;
  });
}
