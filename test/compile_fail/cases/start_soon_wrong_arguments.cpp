// SPDX-License-Identifier: BSL-1.0
// expect: cannot be called with copies of these arguments
#include <tractor/tractor.hpp>

void worker(int number);

void use(trio::Nursery& nursery) { nursery.start_soon(worker, "one"); }
