// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "support.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <vector>

// What the tests of topics have in common.
namespace fan_out_test {

using namespace std::chrono_literals;
using support::in_root;
using support::thrown_by;
using tractor::Overrun;
using tractor::Publisher;
using tractor::Topic;

inline std::vector<int> up_to(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// All that comes until the end.
template <class T> std::vector<T> values_of(tractor::Subscription<T>& subscription) {
  std::vector<T> values;
  for (auto& [subject, value, number] : subscription) values.push_back(value);
  return values;
}

// Waits until all that was published has arrived: asking goes behind it.
template <class T> void catch_up(tractor::Subscription<T>& subscription) {
  subscription.follow({});
}

// How many items `receive` says are missing.
template <class Receive> std::uint64_t missed_by(Receive receive) {
  try {
    receive();
  } catch (tractor::Lagged const& lagged) {
    return lagged.missed;
  }
  return 0;
}

}  // namespace fan_out_test
