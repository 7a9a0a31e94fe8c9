// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/tractor.hpp>

#include <string>
#include <utility>

using tractor::CalleeChooses;
using tractor::CalleeDialog;
using tractor::CallerChooses;
using tractor::CallerDialog;
using tractor::Case;
using tractor::Finished;
using tractor::Protocol;
using tractor::ToCallee;
using tractor::ToCaller;

struct Text {
  std::string text = {};

  template <class Archive> void serialize(Archive& archive) { archive(text); }
};

struct Credentials : Text {};

struct Denied : Text {};

struct Granted : Text {};

struct Get : Text {};

struct Value : Text {};

struct Put : Text {};

struct Quit : Text {};

struct Commands
    : Protocol<
          CallerChooses<Case<Get, ToCaller<Value>, Commands>, Case<Put, Commands>, Case<Quit>>> {};

struct Login
    : Protocol<ToCallee<Credentials>, CalleeChooses<Case<Denied>, Case<Granted, Commands>>> {};
