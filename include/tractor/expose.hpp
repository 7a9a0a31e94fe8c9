// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/buffer.hpp>
#include <tractor/function.hpp>
#include <tractor/schema.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

// Who a function is, for those who call it and for those who run it.
//
// Within one build a function is the offset of a byte of its own, `anchor`, from the start of the
// program. It is a static member of a template over the function, so it has the function's linkage:
// the same byte in every source file that names one and the same function, different bytes for
// static functions or lambdas that merely have the same name. It exists without the function being
// defined or linked, so that a program can call what only its peers contain. (Clang's debug
// information names every template argument to the linker; there, declare such a function
// [[gnu::weak]].)
//
// Between builds a function is its mangled name (the same for every compiler of the Itanium ABI)
// and the hash of its signature. Static functions and lambdas have no name there that means
// anything: named<"..."> gives them one.
namespace tractor {

namespace runtime {
class ContextCore;
}

// Stands for F in type names: typeid(function<F>).name() names F.
template <auto F> struct function {
  // Never written. Not constant, as linkers may merge constants.
  static inline char anchor = 0;
};

// The readable form of what a function is called on the wire.
std::string readable_name(std::string_view name);

// A function to be called. Making one registers nothing and needs no definition of the function.
class FunctionId {
 public:
  constexpr FunctionId(std::string_view name, bool is_named, void const* anchor,
                       std::string (*describe)()) noexcept
      : name_(name), anchor_(anchor), describe_(describe), is_named_(is_named) {}

  // What it is called on the wire: its mangled name, or what named<> says.
  std::string_view name() const noexcept { return name_; }

  // The name for people, for example "app::add(int, int)".
  std::string readable_name() const;

  // Where its anchor lies in this program: the same in each process of one build, and in no two
  // functions. 0 for a function that a shared library contains.
  std::uint64_t offset() const noexcept;

  // Whether its name means the same in another build.
  bool crosses_builds() const;

  // Made anew by each call, see SchemaArchive: keep it.
  std::string signature() const { return describe_(); }

  std::uint64_t signature_hash() const { return tractor::signature_hash(signature()); }

 private:
  std::string_view name_;
  void const* anchor_;
  std::string (*describe_)();
  bool is_named_;
};

template <auto F> FunctionId function_id() noexcept {
  if constexpr (requires { decltype(F)::name; })
    return {decltype(F)::name, true, &function<F>::anchor, &signature_text<F>};
  else
    return {typeid(function<F>).name(), false, &function<F>::anchor, &signature_text<F>};
}

// A function that this program can run for others: a record in a list of all such functions, made
// before main by naming the function in expose<>.
class Entry {
 public:
  // Decodes arguments, calls, encodes the result; see invoke_encoded. The context is that of a
  // function that takes one.
  using ContextPtr = std::shared_ptr<runtime::ContextCore>;
  using Invoke = Buffer (*)(Buffer arguments, ContextPtr const& context);

  Entry(FunctionId const& function, void const* target, Invoke invoker,
        bool takes_context = false) noexcept;
  Entry(Entry const&) = delete;
  Entry& operator=(Entry const&) = delete;
  // A shared library that is unloaded takes its records along.
  ~Entry();

  FunctionId const& id() const noexcept { return id_; }

  // Whether it is a context's endpoint, and not a function to be called.
  bool takes_context() const noexcept { return takes_context_; }

  Buffer invoke(Buffer arguments, ContextPtr const& context) const {
    return invoke_(std::move(arguments), context);
  }

  // True if both stand for one function, that two parts of a program have registered.
  bool same_function(Entry const& other) const noexcept;

  // The next in the list of all.
  Entry const* next() const noexcept { return next_; }

 private:
  FunctionId id_;
  // Of a function; null for a function object, whose name alone says what it is.
  void const* target_;
  Invoke invoke_;
  bool takes_context_;
  Entry* next_;
  Entry** link_;
};

// Every function this program has registered.
std::vector<Entry const*> registered_functions();

namespace detail {

template <auto F> constexpr auto target_of() {
  if constexpr (requires { decltype(F)::function; })
    return decltype(F)::function;
  else
    return F;
}

template <auto F> void const* target_address() noexcept {
  constexpr auto target = target_of<F>();
  if constexpr (std::is_pointer_v<decltype(target)>)
    return reinterpret_cast<void const*>(target);
  else
    return nullptr;
}

template <auto F> constexpr Entry::Invoke invoker() noexcept {
  if constexpr (takes_context<F>) {
    return [](Buffer arguments, Entry::ContextPtr const& context) {
      SuppliedByCallee<typename signature_of<F>::all::template at<0>> supplied(context);
      return invoke_encoded<F>(std::move(arguments), supplied.get());
    };
  } else {
    return [](Buffer arguments, Entry::ContextPtr const& /*context*/) {
      return invoke_encoded<F>(std::move(arguments));
    };
  }
}

}  // namespace detail

// F's record. Whoever takes its address has F registered, and so needs it defined.
template <auto F> struct Registered {
  static inline Entry entry{function_id<F>(), detail::target_address<F>(), detail::invoker<F>(),
                            detail::takes_context<F>};
};

namespace detail {

template <auto F, bool Ok = remote_function_ok<F>> inline constexpr Entry const* entry_of =
    &Registered<F>::entry;
template <auto F> inline constexpr Entry const* entry_of<F, false> =
    ((void)sizeof(remote_function_error<F>), nullptr);

template <auto... F>
inline constexpr std::array<Entry const*, sizeof...(F)> registered_list{entry_of<F>...};

}  // namespace detail

// A list of functions that an actor may be asked to run. Refers to constants: copies are free.
class Exposed {
 public:
  constexpr Exposed() noexcept = default;

  constexpr explicit Exposed(std::span<Entry const* const> entries) noexcept : entries_(entries) {}

  constexpr std::span<Entry const* const> entries() const noexcept { return entries_; }

 private:
  std::span<Entry const* const> entries_;
};

// The functions F, registered: start_actor("name", expose<add, multiply>).
template <auto... F> inline constexpr Exposed expose{detail::registered_list<F...>};

// ------------------------------------------------------------------- from a request to a function

// How a caller says which function it means.
struct FunctionRequest {
  std::string_view name;
  // FunctionId::offset(), or 0 if the callee is of another build.
  std::uint64_t offset = 0;
  // FunctionId::signature_hash(). Not looked at where the offset decides.
  std::uint64_t signature_hash = 0;
};

enum class Refusal {
  none,
  // No function of this name is registered in the callee's program.
  unknown,
  // It is, but this actor was not started with it.
  not_exposed,
  // The name means nothing in another program.
  not_portable,
  // Several different functions have this name.
  ambiguous,
  // It takes or returns something else than the caller expects.
  signature_mismatch,
};

struct Resolution {
  Entry const* entry = nullptr;
  Refusal refusal = Refusal::none;
  // What is refused and what to do about it.
  std::string sentence;
  // Of a mismatch: the one here.
  std::string signature = {};
};

// Finds what `request` means among the `exposed`. Nothing in a request is trusted.
Resolution resolve(std::span<Entry const* const> exposed, FunctionRequest const& request);

// What identifies this program's build: the linker's build id in hexadecimal, of 16 or 40 digits,
// or where there is none, 40 digits hashed from the code.
std::string const& build_id();

}  // namespace tractor
