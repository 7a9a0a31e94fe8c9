// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/archive.hpp>
#include <tractor/buffer.hpp>
#include <tractor/serialisable.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// Remote functions as template arguments: `run<add>(1, 2)`. What they take and return, whether a
// call of them can travel, and their arguments and result as bytes.
namespace tractor {

// Chooses from an overload set, which a template argument cannot: run<pick<int(int)>(twice)>(3).
template <class Signature> constexpr Signature* pick(Signature* function) { return function; }

// A string as a template argument.
template <std::size_t N> struct FixedString {
  char text[N]{};

  consteval FixedString(char const (&literal)[N]) {
    for (std::size_t i = 0; i < N; ++i) text[i] = literal[i];
  }

  constexpr std::string_view view() const { return {text, N - 1}; }
};

template <FixedString Name, auto F> struct Named {
  static constexpr std::string_view name = Name.view();
  static constexpr auto function = F;
};

// F under a name of its own, which takes the place of its C++ name wherever a function goes:
// expose<named<"prices", f>> and run<named<"prices", f>>(...). What is called between different
// builds may be renamed so, or be a static function or a lambda, which have no name beyond their
// program.
template <FixedString Name, auto F> inline constexpr Named<Name, F> named{};

// True for the first parameter type of functions that get it from the runtime of the called actor
// and not from the caller. To be specialised, together with SuppliedByCallee.
template <class Parameter> inline constexpr bool supplied_by_callee = false;

// How such a parameter is made: from the std::shared_ptr of its context, and passed by get(). It
// also has: `error`, a type whose size is the one error of a parameter that cannot be, or void;
// describe(SchemaArchive&), which adds what the caller must agree to.
template <class Parameter> struct SuppliedByCallee;

// True for those that stand for a dialog, and not for a context or a stream. To be specialised. A
// function returns the proof of its dialog's end, not what its caller gets; so SuppliedByCallee has
// besides: answer<Returned>, what that is; answer_error<Returned>, as `error`; accept(Returned),
// which checks the proof.
template <class Parameter> inline constexpr bool opens_dialog = false;

namespace detail {

template <class... A> struct Types {
  static constexpr std::size_t size = sizeof...(A);
  template <std::size_t I> using at = std::tuple_element_t<I, std::tuple<A...>>;
};

template <class... A> struct WithoutSupplied {
  using type = Types<A...>;
};

template <class First, class... A>
  requires supplied_by_callee<First>

struct WithoutSupplied<First, A...> {
  using type = Types<A...>;
};

// What the caller of a function gets that returns R.
template <class R, class... A> struct AnswerOf {
  using type = R;
};

template <class R, class First, class... A>
  requires opens_dialog<First>

struct AnswerOf<R, First, A...> {
  using type = typename SuppliedByCallee<First>::template answer<R>;
};

enum class FunctionKind { function, member, opaque };

template <class R, class... A> struct Signature {
  static constexpr FunctionKind kind = FunctionKind::function;
  using returned = R;
  // What the caller gets.
  using result = typename AnswerOf<R, A...>::type;
  // All parameters, and those the caller gives.
  using all = Types<A...>;
  using parameters = typename WithoutSupplied<A...>::type;
};

// The result of what is no remote function: it fits everywhere, so that only one thing is wrong.
struct NoResult {
  template <class T> operator T() const;
};

// Not one function with fixed parameters: a number, a generic lambda, a variadic function.
template <class F> struct SignatureOf {
  static constexpr FunctionKind kind = FunctionKind::opaque;
  using returned = NoResult;
  using result = NoResult;
  using all = Types<>;
  using parameters = Types<>;
};

template <class R, class... A> struct SignatureOf<R(A...)> : Signature<R, A...> {};

template <class R, class... A> struct SignatureOf<R(A...) noexcept> : Signature<R, A...> {};

template <class M, class C> struct SignatureOf<M C::*> : SignatureOf<int> {
  static constexpr FunctionKind kind = FunctionKind::member;
};

// What the call operator of a constant object is called with.
template <class Operator> struct CallOperator : SignatureOf<int> {};

template <class R, class C, class... A> struct CallOperator<R (C::*)(A...) const>
    : Signature<R, A...> {};

template <class R, class C, class... A> struct CallOperator<R (C::*)(A...) const noexcept>
    : Signature<R, A...> {};

template <class R, class... A> struct CallOperator<R (*)(A...)> : Signature<R, A...> {};

template <class F>
  requires requires { &F::operator(); }

struct SignatureOf<F> : CallOperator<decltype(&F::operator())> {};

template <class F> struct SignatureOf<F*> : SignatureOf<F> {};

template <FixedString Name, auto F> struct SignatureOf<Named<Name, F>>
    : SignatureOf<std::remove_cv_t<decltype(F)>> {};

template <auto F> using signature_of = SignatureOf<std::remove_cv_t<decltype(F)>>;

// The sequence, or the fixed array, that a callee keeps for a span over constants.
template <class T, std::size_t Extent> struct StoredSpan {
  using type = std::array<T, Extent>;
};

template <class T> struct StoredSpan<T, std::dynamic_extent> {
  using type = std::vector<T>;
};

template <class T> struct Stored {
  using type = T;
};

template <class C, class Traits> struct Stored<std::basic_string_view<C, Traits>> {
  using type = std::basic_string<C, Traits>;
};

template <class T, std::size_t Extent> struct Stored<std::span<T const, Extent>>
    : StoredSpan<T, Extent> {};

template <class T> using stored_value_t = typename Stored<std::remove_cvref_t<T>>::type;

template <class Parameters> struct StoredTuple;

template <class... P> struct StoredTuple<Types<P...>> {
  using type = std::tuple<stored_value_t<P>...>;
};

}  // namespace detail

// What the caller of F gets: what it returns, or of a function that runs a dialog, what it finishes
// that with.
template <auto F> using result_of = std::remove_cv_t<typename detail::signature_of<F>::result>;

// What the callee keeps for a parameter while the function runs: the value without const and
// reference, a std::string for a std::string_view, a std::vector<T> for a std::span<T const>.
template <class Parameter> using stored_t = detail::stored_value_t<Parameter>;

// What travels to call F: stored_t of each parameter the caller gives.
template <auto F> using arguments_of =
    typename detail::StoredTuple<typename detail::signature_of<F>::parameters>::type;

// --------------------------------------------------------- whether a call can travel, and if not

namespace detail {

template <class T> inline constexpr bool is_span = false;
template <class T, std::size_t Extent> inline constexpr bool is_span<std::span<T, Extent>> = true;

// Whether F gets its first parameter from its callee's runtime.
template <class Parameters> inline constexpr bool first_is_supplied = false;
template <class First, class... A> inline constexpr bool first_is_supplied<Types<First, A...>> =
    supplied_by_callee<First>;

template <auto F> inline constexpr bool takes_context =
    first_is_supplied<typename signature_of<F>::all>;

// Why a parameter or a result cannot be.
enum class Flaw { none, reference, span, view, obstacle };

template <class P> consteval Flaw parameter_flaw() {
  using Value = std::remove_cvref_t<P>;
  if constexpr (std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>>)
    return Flaw::reference;
  else if constexpr (is_span<stored_t<Value>>)
    return Flaw::span;
  else
    return obstacle<stored_t<Value>>() == Obstacle::none ? Flaw::none : Flaw::obstacle;
}

template <class R> consteval Flaw result_flaw() {
  if constexpr (std::is_void_v<R>)
    return Flaw::none;
  else if constexpr (std::is_reference_v<R>)
    return Flaw::reference;
  else if constexpr (kind_of<R> == Kind::view)
    return Flaw::view;
  else
    return obstacle<R>() == Obstacle::none ? Flaw::none : Flaw::obstacle;
}

// Views are made of what is given, everything else is stored first.
template <class Given, class P> inline constexpr bool converts =
    std::is_convertible_v<Given, std::conditional_t<kind_of<std::remove_cvref_t<P>> == Kind::view,
                                                    std::remove_cvref_t<P>, stored_t<P>>>;

// Each of these is instantiated only to speak: its name, which the compiler shows, holds the
// details, and one static_assert in it fails.

template <class Function, FunctionKind Kind> struct remote_function {
  static constexpr bool free_function = Kind != FunctionKind::member;
  static_assert(free_function,
                "tractor: a member function cannot be called remotely: there is no object for it "
                "in the other process; write a free function");
  static constexpr bool callable = Kind != FunctionKind::opaque;
  static_assert(callable,
                "tractor: this cannot be called remotely: give a function, a captureless lambda or "
                "a constant function object, with fixed parameter types");
};

template <std::size_t Index, class Parameter, Flaw Why> struct parameter {
  static constexpr bool not_mutable = Why != Flaw::reference;
  static_assert(not_mutable,
                "tractor: a remote function cannot take a non-const reference: its changes would "
                "never come back; return the value instead");
  static constexpr bool not_a_mutable_span = Why != Flaw::span;
  static_assert(not_a_mutable_span,
                "tractor: a remote function cannot take a span over what it may change: the "
                "changes would never come back; take a std::span<T const> or a std::vector");
};

template <std::size_t Index, class Parameter> struct parameter<Index, Parameter, Flaw::obstacle>
    : travels<stored_t<Parameter>, obstacle<stored_t<Parameter>>()> {};

template <class Result, Flaw Why> struct result {
  static constexpr bool a_value = Why != Flaw::reference && Why != Flaw::view;
  static_assert(a_value,
                "tractor: a remote function cannot return a reference or a view: what it refers to "
                "stays in the other process; return the value");
};

template <class Result> struct result<Result, Flaw::obstacle>
    : travels<Result, obstacle<Result>()> {};

template <std::size_t Given, std::size_t Wanted> struct argument_count {
  static constexpr bool equal = Given == Wanted;
  static_assert(equal,
                "tractor: this remote call gives more or fewer arguments than the function has "
                "parameters (default arguments do not count: a function pointer does not carry "
                "them)");
};

template <std::size_t Index, class Given, class Wanted> struct argument {
  static constexpr bool convertible = converts<Given, Wanted>;
  static_assert(convertible,
                "tractor: an argument of this remote call does not convert to the function's "
                "parameter (see: argument<index, given, wanted>)");
};

template <class... P> consteval std::size_t first_bad_parameter(Types<P...>) {
  std::size_t index = 0;
  (void)((parameter_flaw<P>() == Flaw::none && ++index) && ...);
  return index;
}

template <class... A, class... P>

  requires(sizeof...(A) == sizeof...(P))
consteval std::size_t first_bad_argument(Types<A...>, Types<P...>) {
  std::size_t index = 0;
  (void)((converts<A, P> && ++index) && ...);
  return index;
}

template <class Function> inline constexpr bool is_noexcept = false;
template <class R, class... A> inline constexpr bool is_noexcept<R (*)(A...) noexcept> = true;
template <class R, class C, class... A>
inline constexpr bool is_noexcept<R (C::*)(A...) const noexcept> = true;

// Whether a function is noexcept, which one with a context cannot be.
template <auto F> consteval bool is_noexcept_function() {
  using Function = std::remove_cv_t<decltype(F)>;
  if constexpr (requires { decltype(F)::function; })
    return is_noexcept_function<decltype(F)::function>();
  else if constexpr (requires { &Function::operator(); })
    return is_noexcept<decltype(&Function::operator())>;
  else
    return is_noexcept<Function>;
}

template <class Function> struct endpoint {
  static constexpr bool may_throw = std::is_void_v<Function>;
  static_assert(may_throw,
                "tractor: a function with a context cannot be noexcept: its cancellation, which is "
                "an exception, would end the program");
};

template <class First, class Returned> consteval auto supplied_flaw() {
  using Supplied = SuppliedByCallee<First>;
  if constexpr (!std::is_void_v<typename Supplied::error>)
    return std::type_identity<typename Supplied::error>();
  else if constexpr (opens_dialog<First>)
    return std::type_identity<typename Supplied::template answer_error<Returned>>();
  else
    return std::type_identity<void>();
}

// What is wrong with F's context, as a type whose size is the error; void if nothing is.
template <auto F> consteval auto context_flaw() {
  if constexpr (!takes_context<F>)
    return std::type_identity<void>();
  else if constexpr (is_noexcept_function<F>())
    return std::type_identity<endpoint<std::remove_cv_t<decltype(F)>>>();
  else
    return supplied_flaw<typename signature_of<F>::all::template at<0>,
                         typename signature_of<F>::returned>();
}

template <auto F> using context_error = typename decltype(context_flaw<F>())::type;

// Whether F can be called remotely at all.
template <auto F> consteval bool is_remote_function() {
  using S = signature_of<F>;
  using Parameters = typename S::parameters;
  if constexpr (S::kind != FunctionKind::function)
    return false;
  else if constexpr (!std::is_void_v<context_error<F>>)
    return false;
  else
    return first_bad_parameter(Parameters()) == Parameters::size &&
           result_flaw<typename S::result>() == Flaw::none;
}

template <auto F> inline constexpr bool remote_function_ok = is_remote_function<F>();

// What speaks of an F for which remote_function_ok is false.
template <auto F> consteval auto remote_function_flaw() {
  using S = signature_of<F>;
  using Parameters = typename S::parameters;
  if constexpr (S::kind != FunctionKind::function) {
    return std::type_identity<remote_function<std::remove_cv_t<decltype(F)>, S::kind>>();
  } else if constexpr (!std::is_void_v<context_error<F>>) {
    return std::type_identity<context_error<F>>();
  } else if constexpr (constexpr std::size_t bad = first_bad_parameter(Parameters());
                       bad != Parameters::size) {
    using Bad = typename Parameters::template at<bad>;
    return std::type_identity<parameter<bad, Bad, parameter_flaw<Bad>()>>();
  } else {
    using Result = typename S::result;
    return std::type_identity<result<Result, result_flaw<Result>()>>();
  }
}

// The one error of such an F is the size of this.
template <auto F> using remote_function_error = typename decltype(remote_function_flaw<F>())::type;

template <auto F, class... A> consteval bool is_remote_call() {
  using Parameters = typename signature_of<F>::parameters;
  if constexpr (!remote_function_ok<F> || sizeof...(A) != Parameters::size)
    return false;
  else
    return first_bad_argument(Types<A...>(), Parameters()) == Parameters::size;
}

// How a function is to be called.
enum class Way { call, context, dialog };

template <class First> inline constexpr Way way_by_parameter =
    opens_dialog<First> ? Way::dialog : Way::context;

template <auto F> consteval Way way_to_call() {
  if constexpr (takes_context<F>)
    return way_by_parameter<typename signature_of<F>::all::template at<0>>;
  else
    return Way::call;
}

template <Way Right> struct wrong_way {
  static constexpr bool is_no_context = Right != Way::context;
  static_assert(is_no_context,
                "tractor: this function takes a context or a stream, which this call does not "
                "give it: use portal.open_context<f>(args..., body) or open_stream_from<f>");
  static constexpr bool is_no_call = Right != Way::call;
  static_assert(is_no_call,
                "tractor: this function takes no context and no dialog as its first parameter: "
                "call it by portal.run<f>(args...)");
  static constexpr bool is_no_dialog = Right != Way::dialog;
  static_assert(is_no_dialog,
                "tractor: this function takes a dialog, which this call does not give it: use "
                "portal.open_dialog<f>(args..., body)");
};

// Whether F can be called remotely with arguments of these types. To be used so:
//   template <auto F, class... A> result_of<F> run(A&&... arguments) {
//     if constexpr (detail::remote_call_ok<F, A...>) {
//       ...
//     } else {
//       detail::remote_call_explain<F, A...>();
//       std::abort();
//     }
//   }
// so that a wrong call is one error with one sentence.
template <auto F, class... A> inline constexpr bool remote_call_ok =
    is_remote_call<F, A...>() && way_to_call<F>() == Way::call;

// The same for opening F's context, and its dialog.
template <auto F, class... A> inline constexpr bool remote_context_ok =
    is_remote_call<F, A...>() && way_to_call<F>() == Way::context;
template <auto F, class... A> inline constexpr bool remote_dialog_ok =
    is_remote_call<F, A...>() && way_to_call<F>() == Way::dialog;

// The one error of a call, or of the opening of a context or dialog, that is not ok.
template <auto F, Way Opens, class... A> constexpr void explain_call() {
  using Parameters = typename signature_of<F>::parameters;
  if constexpr (!remote_function_ok<F>) {
    (void)sizeof(remote_function_error<F>);
  } else if constexpr (way_to_call<F>() != Opens) {
    (void)sizeof(wrong_way<way_to_call<F>()>);
  } else if constexpr (sizeof...(A) != Parameters::size) {
    (void)sizeof(argument_count<sizeof...(A), Parameters::size>);
  } else {
    constexpr std::size_t bad = first_bad_argument(Types<A...>(), Parameters());
    using Bad = typename Parameters::template at<bad>;
    (void)sizeof(argument<bad, typename Types<A...>::template at<bad>, Bad>);
  }
}

// Instantiated only to speak: of a function that was given as an argument.
template <class F> struct function_as_argument {
  static constexpr bool is_one = std::is_void_v<F>;
  static_assert(is_one,
                "tractor: the function is a template argument, and what it needs travels as "
                "arguments: run<add>(1, 2), run_in_actor<add>(1, 2); a lambda with captures cannot "
                "be sent to another process");
};

template <class F> struct function_not_exposed {
  static constexpr bool is_exposed = std::is_void_v<F>;
  static_assert(is_exposed,
                "tractor: what an actor may run is named in an expose: start_actor(\"name\", "
                "tractor::expose<add>)");
};

template <auto F, class... A> constexpr void remote_call_explain() {
  explain_call<F, Way::call, A...>();
}

template <auto F, class... A> constexpr void remote_context_explain() {
  explain_call<F, Way::context, A...>();
}

template <auto F, class... A> constexpr void remote_dialog_explain() {
  explain_call<F, Way::dialog, A...>();
}

}  // namespace detail

// ------------------------------------------------------------------------------ calls as bytes

namespace detail {

// Writes `given` as the stored_t<P> it converts to, without making one where the bytes are the
// same.
template <class P, class Given> void write_argument(OutputArchive& archive, Given&& given) {
  using Value = std::remove_cvref_t<P>;
  using Wanted = stored_t<P>;
  if constexpr (std::is_same_v<std::remove_cvref_t<Given>, Wanted>) {
    archive(given);
  } else if constexpr (kind_of<Value> == Kind::view) {
    Value const view = std::forward<Given>(given);
    if constexpr (kind_of<Wanted> == Kind::array) {
      for (auto const& element : view) archive(element);
    } else {
      archive(view);
    }
  } else if constexpr (std::is_same_v<Wanted, std::string> &&
                       std::is_convertible_v<Given, std::string_view>) {
    archive(std::string_view(std::forward<Given>(given)));
  } else {
    archive(static_cast<Wanted>(std::forward<Given>(given)));
  }
}

template <class... P, class... A>
void write_arguments(OutputArchive& archive, Types<P...>, A&&... given) {
  (write_argument<P>(archive, std::forward<A>(given)), ...);
}

// Gives a stored argument to a parameter: views and constant references see it, others take it.
template <class P, class Stored> decltype(auto) pass(Stored& stored) {
  if constexpr (std::is_lvalue_reference_v<P> || kind_of<std::remove_cvref_t<P>> == Kind::view)
    return (stored);
  else
    return std::move(stored);
}

template <auto F, class... P, class Arguments, std::size_t... I, class... Supplied>
typename signature_of<F>::returned call(Types<P...>, std::index_sequence<I...>,
                                        Arguments& arguments, Supplied&... supplied) {
  if constexpr (requires { decltype(F)::function; })
    return decltype(F)::function(supplied..., pass<P>(std::get<I>(arguments))...);
  else
    return F(supplied..., pass<P>(std::get<I>(arguments))...);
}

}  // namespace detail

// The arguments of a call of F, each converted to what F's parameter stores. remote_call_ok must
// hold. Throws EncodeError.
template <auto F, class... A> Buffer encode_arguments(A&&... arguments) {
  OutputArchive archive;
  detail::write_arguments(archive, typename detail::signature_of<F>::parameters(),
                          std::forward<A>(arguments)...);
  return archive.take();
}

// Calls F with the arguments it takes from its caller in `arguments`, after those `supplied` by its
// callee (see supplied_by_callee). The arguments are given up.
template <auto F, class... Supplied>
result_of<F> invoke(arguments_of<F>&& arguments, Supplied&... supplied) {
  using Parameters = typename detail::signature_of<F>::parameters;
  auto const call = [&]() -> decltype(auto) {
    return detail::call<F>(Parameters(), std::make_index_sequence<Parameters::size>(), arguments,
                           supplied...);
  };
  if constexpr (detail::way_to_call<F>() == detail::Way::dialog)
    return (supplied.accept(call()), ...);
  else
    return call();
}

// A call from bytes to bytes: decodes the arguments, calls F, encodes its result. The result of a
// void function is an empty buffer. Throws DecodeError before F is called, EncodeError after, and
// what F throws.
template <auto F, class... Supplied>
Buffer invoke_encoded(Buffer arguments, Supplied&... supplied) {
  arguments_of<F> decoded{};
  // The frame is freed before F runs.
  InputArchive(std::move(arguments))(decoded).finish();
  if constexpr (std::is_void_v<result_of<F>>) {
    invoke<F>(std::move(decoded), supplied...);
    return Buffer();
  } else {
    return encode(invoke<F>(std::move(decoded), supplied...));
  }
}

}  // namespace tractor
