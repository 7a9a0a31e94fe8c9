// SPDX-License-Identifier: BSL-1.0
// expect: start it with nursery.start
#include <tractor/tractor.hpp>

void serve(trio::TaskStatus<int>& status);

void use(trio::Nursery& nursery) { nursery.start_soon(serve); }
