// SPDX-License-Identifier: BSL-1.0
// expect: cannot be serialised
#include <tractor/publisher.hpp>

struct Quote {
  int bid = 0;
};

void use(tractor::Publisher<Quote>& quotes) { quotes.publish(Quote{1}); }

tractor::Publisher<Quote> make() { return tractor::Publisher<Quote>("quotes"); }
