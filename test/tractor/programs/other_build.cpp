// SPDX-License-Identifier: BSL-1.0
// An actor of another build: it has functions of the same names as the test, one with another
// signature.
#include "shared_functions.hpp"

#include <tractor/tractor.hpp>

namespace shared {

int add(int a, int b) { return a + b; }
std::string changed(std::string const& text, int times) { return text + std::to_string(times); }

}  // namespace shared

int main() {
  // What it can be asked to expose.
  static_cast<void>(tractor::expose<shared::add, shared::changed>);
  return tractor::run([] {});
}
