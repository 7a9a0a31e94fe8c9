// SPDX-License-Identifier: BSL-1.0
// Large numbers, tested by a pool of processes: the example of Python's concurrent.futures.
#include <tractor/tractor.hpp>

#include <cstdint>
#include <vector>

#include <fmt/core.h>

bool is_prime(std::uint64_t number) {
  if (number < 2) return false;
  if (number % 2 == 0) return number == 2;
  for (std::uint64_t divisor = 3; divisor * divisor <= number; divisor += 2)
    if (number % divisor == 0) return false;
  return true;
}

void amain() {
  std::vector<std::uint64_t> const numbers{112272535095293, 112582705942171, 112272535095293,
                                           115280095190773, 115797848077099, 1099726899285419};
  tractor::open_worker_pool<is_prime>({.count = 4}, [&](tractor::WorkerPool const& pool) {
    pool.map<is_prime>(numbers, [](std::uint64_t number, bool prime) {
      fmt::print("{} is prime: {}\n", number, prime);
    });
  });
}

int main() { return tractor::run(amain); }
