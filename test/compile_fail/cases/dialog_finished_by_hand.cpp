// SPDX-License-Identifier: BSL-1.0
// expect: private
#include "login.hpp"

Finished<Login> client(CallerDialog<Login>) { return Finished<Login>(nullptr); }
