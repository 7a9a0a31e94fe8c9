// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/expose.hpp>
#include <tractor/function.hpp>

#include <cstdlib>
#include <utility>

// The shape of a portal, and a function remote enough: it is called from bytes to bytes.
struct Portal {
  template <auto F, class... A> tractor::result_of<F> run(A&&... arguments) {
    if constexpr (tractor::detail::remote_call_ok<F, A...>) {
      tractor::Buffer reply =
          tractor::invoke_encoded<F>(tractor::encode_arguments<F>(std::forward<A>(arguments)...));
      if constexpr (!std::is_void_v<tractor::result_of<F>>)
        return tractor::decode<tractor::result_of<F>>(std::move(reply));
    } else {
      tractor::detail::remote_call_explain<F, A...>();
      std::abort();
    }
  }
};
