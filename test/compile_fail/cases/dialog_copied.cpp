// SPDX-License-Identifier: BSL-1.0
// expect: deleted
#include "login.hpp"

Finished<Login> client(CallerDialog<Login> dialog);

Finished<Login> twice(CallerDialog<Login> dialog) { return client(dialog); }
