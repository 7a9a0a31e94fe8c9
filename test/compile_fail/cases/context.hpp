// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/tractor.hpp>

#include <string>

struct Talk {
  using Started = int;
  using ToCallee = std::string;
  using ToCaller = int;
};

struct OneWay {
  using ToCaller = int;
};

int talk(tractor::Context<Talk>& ctx, int number);
void tell(tractor::Context<OneWay>& ctx);
void count(tractor::SendStream<int>& stream, int to);
int add(int a, int b);
