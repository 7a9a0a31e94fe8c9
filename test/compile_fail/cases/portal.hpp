// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/tractor.hpp>

using tractor::Portal;
