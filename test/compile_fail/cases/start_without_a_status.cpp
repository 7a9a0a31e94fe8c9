// SPDX-License-Identifier: BSL-1.0
// expect: last parameter must be a trio::TaskStatus
#include <tractor/tractor.hpp>

void worker(int number);

void use(trio::Nursery& nursery) { nursery.start(worker, 1); }
