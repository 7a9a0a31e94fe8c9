// SPDX-License-Identifier: BSL-1.0
// An actor of another build: it has functions of the same names as the test, some with another
// signature.
#include "shared_functions.hpp"

#include <tractor/tractor.hpp>

#include <utility>

namespace shared {

int add(int a, int b) { return a + b; }

int changed(std::string const& text) { return static_cast<int>(text.size()); }

tractor::Finished<Alike> alike(tractor::CalleeDialog<Alike> dialog) {
  auto [number, rest] = std::move(dialog).receive();
  return std::move(rest).send(number + 1).finish();
}

tractor::Finished<Unlike> unlike(tractor::CalleeDialog<Unlike> dialog) {
  auto [number, rest] = std::move(dialog).receive();
  return std::move(rest).send(std::to_string(number)).finish();
}

}  // namespace shared

int main() {
  // What it can be asked to expose.
  static_cast<void>(tractor::expose<shared::add, shared::changed, shared::alike, shared::unlike>);
  return tractor::run([] {});
}
