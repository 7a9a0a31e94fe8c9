// SPDX-License-Identifier: BSL-1.0
// An actor of another build: it has functions of the same names as the test, one with another
// signature.
#include "shared_functions.hpp"

#include <tractor/tractor.hpp>

namespace shared {

int add(int a, int b) { return a + b; }

int changed(std::string const& text) { return static_cast<int>(text.size()); }

}  // namespace shared

int main() {
  // What it can be asked to expose.
  static_cast<void>(tractor::expose<shared::add, shared::changed>);
  return tractor::run([] {});
}
