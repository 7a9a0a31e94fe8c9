// SPDX-License-Identifier: BSL-1.0
#include "support.hpp"

int main_placeholder();
