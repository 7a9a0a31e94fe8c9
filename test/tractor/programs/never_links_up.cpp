// SPDX-License-Identifier: BSL-1.0
// Spawned as an actor, it never becomes one.
#include <unistd.h>

int main() {
  for (;;) pause();
}
