// SPDX-License-Identifier: BSL-1.0
// A supervisor that divides work among actors of its own: three levels of processes, taken down
// from the leaves up.
#include <tractor/tractor.hpp>

#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

void say_when_gone() {
  tractor::current_actor().lifetime().defer(
      [name = tractor::current_actor().name()] { fmt::print(stderr, "{} is gone\n", name); });
}

std::vector<int> square(std::vector<int> const& numbers) {
  say_when_gone();
  std::vector<int> squares;
  for (int number : numbers) squares.push_back(number * number);
  return squares;
}

std::vector<int> supervise(std::vector<int> const& numbers) {
  say_when_gone();
  auto const middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  return tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    // Both halves at once.
    auto one =
        nursery.run_in_actor<square>({.name = "leaf_1"}, std::vector(numbers.begin(), middle));
    auto two = nursery.run_in_actor<square>({.name = "leaf_2"}, std::vector(middle, numbers.end()));
    std::vector<int> squares = one.result();
    std::vector<int> const more = two.result();
    squares.insert(squares.end(), more.begin(), more.end());
    return squares;
  });  // no leaf is left when the supervisor returns
}

void amain() {
  auto const squares = tractor::open_nursery([](tractor::ActorNursery& nursery) {
    return nursery.run_in_actor<supervise>({.name = "supervisor"}, std::vector{1, 2, 3, 4})
        .result();
  });
  fmt::print("{}\n", squares);
}

int main() { return tractor::run(amain); }
