// SPDX-License-Identifier: BSL-1.0
// Spawned as an actor, it does not come as far as its main.
#include <stdexcept>

namespace {

int find_the_configuration() { throw std::runtime_error("there is no configuration"); }

int const configuration = find_the_configuration();

}  // namespace

int main() { return configuration; }
