// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/archive.hpp>
#include <tractor/detail/dialog_core.hpp>
#include <tractor/dialog_protocol.hpp>
#include <tractor/function.hpp>
#include <tractor/wire_errors.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

// Session types: dialogs whose order, direction and completeness the compiler checks. A dialog is a
// value that stands for what is left of the protocol; each step consumes it and returns the next:
//
//   Finished<Login> serve(CalleeDialog<Login> dialog) {
//     auto [who, answer] = std::move(dialog).receive();
//     if (who.password != "sesame") return std::move(answer).send(Denied{"no"}).finish();
//     return std::move(answer).send(Granted{7}).serve(
//         [&](Get get, auto rest) { return std::move(rest).send(Value{store[get.key]}); },
//         [&](Put put, auto rest) { store[put.key] = put.value; return rest; },
//         [&](Quit, auto rest) { return std::move(rest).finish(); });
//   }
//
// A step that the protocol does not have here does not compile. A step taken twice, through an
// object that was moved from, throws DialogMisuse (clang-tidy's bugprone-use-after-move sees it
// earlier). A dialog that is let go before its end, by an exception, a cancellation or an
// oversight, is broken off: the other side gets an error, never a clean end. docs/session-types.md
// says when this is worth its price.
namespace tractor {

template <Role Me, class P, class... Steps> class Dialog;

// The two ends of a dialog of protocol P, at its beginning; or at the protocol `At`, which is named
// in P: CalleeDialog<Login, Commands>. A remote function takes its CalleeDialog<P> as the first
// parameter and returns Finished<P>.
template <class P, class At = P> using CallerDialog = Dialog<Role::caller, P, At>;
template <class P, class At = P> using CalleeDialog = Dialog<Role::callee, P, At>;

namespace detail {

struct FinishedAccess;

template <class R> struct FinishedValue {
  R value;
};

template <> struct FinishedValue<void> {};

}  // namespace detail

// The proof that a dialog of protocol P came to its end, with a result if R is not void. Only
// finish() makes one.
template <class P, class R = void>
class [[nodiscard("return it: it proves that the dialog has come to its end")]] Finished {
 public:
  Finished(Finished&&) noexcept = default;
  Finished& operator=(Finished&&) noexcept = default;

  // The same with the result converted: finish("done") for a Finished<P, std::string>.
  template <class V>
    requires(!std::is_same_v<V, R> && !std::is_void_v<V> && std::is_convertible_v<V, R>)
  Finished(Finished<P, V> other)
      : dialog_(std::move(other.dialog_)), value_{static_cast<R>(std::move(other.value_.value))} {}

 private:
  template <class, class> friend class Finished;
  friend struct detail::FinishedAccess;

  explicit Finished(std::shared_ptr<detail::DialogCore const> dialog,
                    detail::FinishedValue<R> value = {}) noexcept
      : dialog_(std::move(dialog)), value_(std::move(value)) {}

  // Which one.
  std::shared_ptr<detail::DialogCore const> dialog_;
  [[no_unique_address]] detail::FinishedValue<R> value_;
};

namespace detail {

// For those who make proofs and those who check them.
struct FinishedAccess {
  template <class P> static Finished<P> make(DialogHold& hold) {
    return Finished<P>(hold.finish());
  }

  template <class P, class V> static auto make(DialogHold& hold, V&& value) {
    using R = std::decay_t<V>;
    FinishedValue<R> kept{std::forward<V>(value)};
    return Finished<P, R>(hold.finish(), std::move(kept));
  }

  // The result, if it is the proof of this dialog. Throws DialogMisuse otherwise.
  template <class P, class R> static R take(DialogCore const& core, Finished<P, R> finished) {
    check_finished(core, finished.dialog_.get(), automaton_of<P>);
    if constexpr (!std::is_void_v<R>) return std::move(finished.value_.value);
  }
};

// Where a wrong step leads: it fits everywhere, so that only one thing is wrong.
struct Nowhere {
  template <class... A> Nowhere send(A&&...) const { std::abort(); }

  std::pair<Nowhere, Nowhere> receive() const;

  template <class H, class... More> Nowhere receive(H&&, More&&...) const { std::abort(); }

  template <class... H> Nowhere serve(H&&...) const { std::abort(); }

  template <class... V> Nowhere finish(V&&...) const { std::abort(); }

  template <class T> operator T() const { std::abort(); }
};

// The handlers of a choice as one.
template <class... H> struct Handlers : H... {
  using H::operator()...;
};

enum class StepFlaw {
  none,
  is_over,
  not_over,
  must_receive,
  must_send,
  wrong_message,
  no_such_case,
  needs_handlers,
  unhandled,
  unfit_handler,
  drops,
  different_results,
  no_loop,
  no_way_out,
};

// Instantiated only to speak; see function.hpp. `What` is the culprit: a message, a case, a
// handler.
template <Role Me, class Here, class What, StepFlaw Why> struct step {
  static constexpr bool goes_on = Why != StepFlaw::is_over;
  static_assert(goes_on,
                "tractor: the protocol has come to its end here: "
                "return std::move(dialog).finish()");
  static constexpr bool is_over = Why != StepFlaw::not_over;
  static_assert(is_over,
                "tractor: the protocol has not come to its end here: finish() is for its end; see "
                "the position in this message for what is left");
  static constexpr bool our_turn = Why != StepFlaw::must_receive;
  static_assert(our_turn, "tractor: the protocol expects this side to receive here, not to send");
  static constexpr bool their_turn = Why != StepFlaw::must_send;
  static_assert(their_turn, "tractor: the protocol expects this side to send here, not to receive");
  static constexpr bool message = Why != StepFlaw::wrong_message;
  static_assert(message,
                "tractor: this is not the message that the protocol expects here, and does not "
                "convert to it");
  static constexpr bool one_of_the_cases = Why != StepFlaw::no_such_case;
  static_assert(one_of_the_cases,
                "tractor: this message is not one of the cases that the protocol allows here");
  static constexpr bool with_handlers = Why != StepFlaw::needs_handlers;
  static_assert(with_handlers,
                "tractor: the other side chooses here: give receive() one lambda "
                "(Message message, auto rest) for each case");
  static constexpr bool handled = Why != StepFlaw::unhandled;
  static_assert(handled,
                "tractor: a case of the protocol has no handler, or several that fit alike: give "
                "one lambda (Message message, auto rest) for each");
  static constexpr bool fit = Why != StepFlaw::unfit_handler;
  static_assert(fit,
                "tractor: a handler fits no case of the protocol: it takes the message of a case "
                "and the rest of the dialog, (Message message, auto rest)");
  static constexpr bool returns = Why != StepFlaw::drops;
  static_assert(
      returns,
      "tractor: a handler returns nothing and so drops the dialog: return what is left of "
      "it, or what finish() gives");
  static constexpr bool same_results = Why != StepFlaw::different_results;
  static_assert(same_results,
                "tractor: the handlers must all return the same type, such as what finish() gives; "
                "those of serve() may also return the dialog back where the loop began");
  static constexpr bool loop = Why != StepFlaw::no_loop;
  static_assert(loop,
                "tractor: no handler of serve() returns the dialog back where it began, at the "
                "name of the protocol: this is no loop, use receive()");
  static constexpr bool way_out = Why != StepFlaw::no_way_out;
  static_assert(way_out,
                "tractor: no handler of serve() leaves the loop: return what finish() gives, or "
                "where the dialog goes on");
};

template <class DialogType> struct consumed {
  static constexpr bool as_an_rvalue = std::is_void_v<DialogType>;
  static_assert(as_an_rvalue,
                "tractor: a step consumes the dialog: write std::move(dialog).send(...), and go on "
                "with what it returns");
};

// Of a step: why it is wrong, and the culprit; or what it returns.
template <StepFlaw Why, class What = void> struct Verdict {
  static constexpr StepFlaw flaw = Why;
  using what = What;
  using result = std::conditional_t<Why == StepFlaw::none, What, Nowhere>;
};

template <Role Me, class P, class Then> struct DialogAt;

template <Role Me, class P, class... Then> struct DialogAt<Me, P, Position<Then...>> {
  using type = Dialog<Me, P, Then...>;
};

// The dialog after a way was taken.
template <Role Me, class P, class W> using dialog_after =
    typename DialogAt<Me, P, typename W::then>::type;

// The way that a message of this type takes: the only one, or the case of exactly this type; void
// if there is none.
template <bool IsChoice, class Given, class... W> struct MoveFor {
  using type = void;
};

template <class Given, class W> struct MoveFor<false, Given, W> {
  using type = std::conditional_t<std::is_convertible_v<Given, typename W::message>, W, void>;
};

template <class Given, class W, class... More> struct MoveFor<true, Given, W, More...>
    : MoveFor<true, Given, More...> {};

template <class Given, class W, class... More>
  requires std::is_same_v<std::remove_cvref_t<Given>, typename W::message>

struct MoveFor<true, Given, W, More...> {
  using type = W;
};

template <class Here, class Given, class... W>
typename MoveFor<Here::is_choice, Given, W...>::type move_for(Types<W...>);

template <class Here, class Given> using move_t =
    decltype(move_for<Here, Given>(typename Here::moves()));

template <Role Me, class P, class Here, class Given> consteval auto judge_send() {
  using W = move_t<Here, Given>;
  if constexpr (Here::moves::size == 0)
    return Verdict<StepFlaw::is_over>();
  else if constexpr (Here::sender != Me)
    return Verdict<StepFlaw::must_receive, Given>();
  else if constexpr (!std::is_void_v<W>)
    return Verdict<StepFlaw::none, dialog_after<Me, P, W>>();
  else if constexpr (Here::is_choice)
    return Verdict<StepFlaw::no_such_case, Given>();
  else
    return Verdict<StepFlaw::wrong_message, Given>();
}

// What a message written in braces is.
template <class Moves> struct OnlyMessage {
  using type = Nowhere;
};

template <class W> struct OnlyMessage<Types<W>> {
  using type = typename W::message;
};

template <Role Me, class P, class Here> consteval auto judge_receive() {
  if constexpr (Here::moves::size == 0) {
    return Verdict<StepFlaw::is_over>();
  } else if constexpr (Here::sender == Me) {
    return Verdict<StepFlaw::must_send>();
  } else if constexpr (Here::is_choice) {
    return Verdict<StepFlaw::needs_handlers>();
  } else {
    using W = typename Here::moves::template at<0>;
    return Verdict<StepFlaw::none, std::pair<typename W::message, dialog_after<Me, P, W>>>();
  }
}

template <Role Me, class P, class All, class W> inline constexpr bool handles =
    std::is_invocable_v<All&, typename W::message, dialog_after<Me, P, W>>;

template <Role Me, class P, class All, class... W>
consteval std::size_t first_unhandled(Types<W...>) {
  std::size_t index = 0;
  (void)((handles<Me, P, All, W> && ++index) && ...);
  return index;
}

template <Role Me, class P, class H, class... W> consteval bool fits_one_of(Types<W...>) {
  return (handles<Me, P, H, W> || ...);
}

template <Role Me, class P, class Moves, class... H> consteval std::size_t first_unfit() {
  std::size_t index = 0;
  (void)((fits_one_of<Me, P, H>(Moves()) && ++index) && ...);
  return index;
}

template <Role Me, class P, class All, class... W>
Types<std::invoke_result_t<All&, typename W::message, dialog_after<Me, P, W>>...> results_of(
    Types<W...>);

// The results that are not `Loop`.
template <class Loop, class... R>
typename Joined<std::conditional_t<std::is_same_v<R, Loop>, Types<>, Types<R>>...>::type leaving(
    Types<R...>);

template <class T, class... A> consteval bool all_are(Types<T, A...>) {
  return (std::is_same_v<T, A> && ...);
}

template <class... R> consteval bool any_void(Types<R...>) { return (std::is_void_v<R> || ...); }

// If the handlers do, `what` are the types that they return.
template <Role Me, class P, class Here, class... H> consteval auto judge_handlers() {
  using Moves = typename Here::moves;
  if constexpr (Moves::size == 0) {
    return Verdict<StepFlaw::is_over>();
  } else if constexpr (Here::sender == Me) {
    return Verdict<StepFlaw::must_send>();
  } else if constexpr (constexpr std::size_t unfit = first_unfit<Me, P, Moves, H...>();
                       unfit != sizeof...(H)) {
    return Verdict<StepFlaw::unfit_handler, typename Types<H...>::template at<unfit>>();
  } else if constexpr (constexpr std::size_t bad = first_unhandled<Me, P, Handlers<H...>>(Moves());
                       bad != Moves::size) {
    return Verdict<StepFlaw::unhandled, typename Moves::template at<bad>>();
  } else {
    using Results = decltype(results_of<Me, P, Handlers<H...>>(Moves()));
    if constexpr (any_void(Results()))
      return Verdict<StepFlaw::drops, Results>();
    else
      return Verdict<StepFlaw::none, Results>();
  }
}

// Of receive(), for `Loop` void, and of serve().
template <class Loop, class Handled> consteval auto judge_results() {
  if constexpr (Handled::flaw != StepFlaw::none) {
    return Handled();
  } else {
    using Results = typename Handled::what;
    using Leaving = decltype(leaving<Loop>(Results()));
    if constexpr (!std::is_void_v<Loop> && Leaving::size == Results::size)
      return Verdict<StepFlaw::no_loop, Results>();
    else if constexpr (Leaving::size == 0)
      return Verdict<StepFlaw::no_way_out, Results>();
    else if constexpr (!all_are(Leaving()))
      return Verdict<StepFlaw::different_results, Leaving>();
    else
      return Verdict<StepFlaw::none, typename Leaving::template at<0>>();
  }
}

template <class P, class Here, class... V> consteval auto judge_finish() {
  if constexpr (Here::moves::size != 0)
    return Verdict<StepFlaw::not_over, typename Here::moves>();
  else
    return Verdict<StepFlaw::none, Finished<P, std::decay_t<V>...>>();
}

// Reads what the core has let through.
template <class M> M read_message(DialogCore& core, Buffer message) {
  M value = blank<M>();
  std::uint8_t number = 0;
  try {
    InputArchive(std::move(message))(number, value).finish();
  } catch (DecodeError const& error) {
    core.fail_to_decode(number, error.what());
  }
  return value;
}

template <class R, Role Me, class P, class All, class W, class... More>
R dispatch(All& handlers, DialogHold hold, Buffer message, Types<W, More...>) {
  using M = typename W::message;
  if constexpr (sizeof...(More) > 0) {
    if (number_of(message) != message_number<P, M>)
      return dispatch<R, Me, P>(handlers, std::move(hold), std::move(message), Types<More...>());
  }
  M value = read_message<M>(*hold, std::move(message));
  return handlers(std::move(value), dialog_after<Me, P, W>(std::move(hold)));
}

template <class P, bool Ok = dialog_ok<P>> struct well_formed {};

template <class P> struct well_formed<P, false> : dialog_error<P> {};

template <class P, std::size_t State> struct position {
  static constexpr bool reachable = State < states_of<P>::size;
  static_assert(reachable, "tractor: this protocol is not named in the protocol of the dialog");
};

}  // namespace detail

// What is left of a dialog of protocol P, for one of its sides. Belongs to one task at a time; may
// be moved into another task of the same run.
template <Role Me, class P, class... Steps>
class [[nodiscard("the dialog goes on with it, and is broken off where it is dropped")]] Dialog {
  using Here = detail::Place<detail::unfold_t<Steps...>>;
  static_assert(sizeof(detail::well_formed<P>) > 0);
  static constexpr std::size_t state =
      detail::index_in<detail::unfold_t<Steps...>>(detail::states_of<P>());
  static_assert(sizeof(detail::position<P, state>) > 0);

 public:
  // Made by the library.
  explicit Dialog(detail::DialogHold hold) noexcept : hold_(std::move(hold)) {}

  Dialog(Dialog&&) noexcept = default;
  Dialog& operator=(Dialog&&) noexcept = default;

  // Sends the message that the protocol has here, or that of one of its cases, and returns what is
  // left then. What is not a case converts. Waits while the other side is too far behind to take
  // it; a checkpoint. Throws DialogMisuse if this step was taken before, EncodeError, and what
  // Stream::send throws.
  template <class M = typename detail::OnlyMessage<typename Here::moves>::type>
  typename decltype(detail::judge_send<Me, P, Here, M>())::result send(M&& message) && {
    using Verdict = decltype(detail::judge_send<Me, P, Here, M>());
    if constexpr (Verdict::flaw == detail::StepFlaw::none) {
      using Wanted = typename detail::move_t<Here, M>::message;
      OutputArchive archive;
      archive(detail::message_number<P, Wanted>);
      detail::write_argument<Wanted>(archive, std::forward<M>(message));
      detail::DialogHold hold = take();
      hold->send(archive.take());
      return typename Verdict::result(std::move(hold));
    } else {
      explain<Verdict>();
    }
  }

  // Receives the one message that the protocol has here: returns it and what is left then,
  // `auto [message, rest] = std::move(dialog).receive()`. A checkpoint. Throws DialogMisuse if this
  // step was taken before; MsgTypeError if the other side, of another build, sends anything else
  // or ends; and what Stream::receive throws.
  std::conditional_t<decltype(detail::judge_receive<Me, P, Here>())::flaw == detail::StepFlaw::none,
                     typename decltype(detail::judge_receive<Me, P, Here>())::what,
                     std::pair<detail::Nowhere, detail::Nowhere>>
  receive() && {
    using Verdict = decltype(detail::judge_receive<Me, P, Here>());
    if constexpr (Verdict::flaw == detail::StepFlaw::none) {
      using Message = typename Verdict::what::first_type;
      detail::DialogHold hold = take();
      Message message = detail::read_message<Message>(*hold, hold->receive());
      return {std::move(message), typename Verdict::what::second_type(std::move(hold))};
    } else {
      explain<Verdict>();
    }
  }

  // Receives where the other side chooses, and returns what the handler of its case returns: one
  // lambda (Message message, auto rest) for each case, all of one result type. Throws as receive()
  // does, and what the handler throws.
  template <class H, class... More>
  typename decltype(detail::judge_results<
                    void, decltype(detail::judge_handlers<Me, P, Here, std::decay_t<H>,
                                                          std::decay_t<More>...>())>())::result
  receive(H&& handler, More&&... more) && {
    using Handled =
        decltype(detail::judge_handlers<Me, P, Here, std::decay_t<H>, std::decay_t<More>...>());
    using Verdict = decltype(detail::judge_results<void, Handled>());
    if constexpr (Verdict::flaw == detail::StepFlaw::none) {
      detail::Handlers<std::decay_t<H>, std::decay_t<More>...> handlers{
          std::forward<H>(handler), std::forward<More>(more)...};
      return receive_by<typename Verdict::result>(handlers);
    } else {
      explain<Verdict>();
    }
  }

  // The same again and again, where the other side chooses whether to repeat: as long as the
  // handlers return the dialog back where this began, at the name of a protocol. Returns the first
  // other thing that one returns: what finish() gives, or where the dialog goes on.
  template <class... H>
  typename decltype(detail::judge_results<
                    Dialog,
                    decltype(detail::judge_handlers<Me, P, Here, std::decay_t<H>...>())>())::result
  serve(H&&... handler) && {
    using Handled = decltype(detail::judge_handlers<Me, P, Here, std::decay_t<H>...>());
    using Verdict = decltype(detail::judge_results<Dialog, Handled>());
    if constexpr (Verdict::flaw == detail::StepFlaw::none) {
      detail::Handlers<std::decay_t<H>...> handlers{std::forward<H>(handler)...};
      Dialog here = std::move(*this);
      for (;;) {
        using Next = std::variant<Dialog, typename Verdict::result>;
        Next next = std::move(here).template receive_by<Next>(handlers);
        if (auto* const result = std::get_if<1>(&next)) return std::move(*result);
        here = std::move(*std::get_if<0>(&next));
      }
    } else {
      explain<Verdict>();
    }
  }

  // At the end: the proof of it, for the one who gave the dialog to return; with a value for that
  // one's caller. Not a checkpoint. Throws DialogMisuse if this step was taken before.
  template <class... V>
    requires(sizeof...(V) <= 1)
  typename decltype(detail::judge_finish<P, Here, V...>())::result finish(V&&... value) && {
    using Verdict = decltype(detail::judge_finish<P, Here, V...>());
    if constexpr (Verdict::flaw == detail::StepFlaw::none) {
      detail::DialogHold hold = take();
      return detail::FinishedAccess::make<P>(hold, std::forward<V>(value)...);
    } else {
      explain<Verdict>();
    }
  }

  // A step on what is not about to expire does not compile.
  template <class M = detail::Nowhere> detail::Nowhere send(M&&) const& { explain_consumed(); }

  std::pair<detail::Nowhere, detail::Nowhere> receive() const& { explain_consumed(); }

  template <class H, class... More> detail::Nowhere receive(H&&, More&&...) const& {
    explain_consumed();
  }

  template <class... H> detail::Nowhere serve(H&&...) const& { explain_consumed(); }

  template <class... V> detail::Nowhere finish(V&&...) const& { explain_consumed(); }

 private:
  detail::DialogHold take() { return hold_.take(automaton_of<P>, state); }

  template <class R, class All> R receive_by(All& handlers) {
    detail::DialogHold hold = take();
    Buffer message = hold->receive();
    return detail::dispatch<R, Me, P>(handlers, std::move(hold), std::move(message),
                                      typename Here::moves());
  }

  template <class Verdict> [[noreturn]] static void explain() {
    // A dialog that is none has been told of already.
    if constexpr (detail::dialog_ok<P> && detail::position<P, state>::reachable)
      (void)sizeof(
          detail::step<Me, detail::unfold_t<Steps...>, typename Verdict::what, Verdict::flaw>);
    std::abort();
  }

  [[noreturn]] static void explain_consumed() {
    (void)sizeof(detail::consumed<Dialog>);
    std::abort();
  }

  detail::DialogHold hold_;
};

namespace detail {

// What a function that ran a dialog of P gives its caller: what it finished with.
template <class P, class Returned> struct FinishedResult {
  using type = NoResult;
  static constexpr bool is_finished = false;
};

template <class P, class R> struct FinishedResult<P, Finished<P, R>> {
  using type = R;
  static constexpr bool is_finished = true;
};

// Instantiated only to speak.
template <class P, class Returned> struct dialog_endpoint {
  static constexpr bool returns_finished = std::is_void_v<P>;
  static_assert(returns_finished,
                "tractor: a function that takes a CalleeDialog<P> must return Finished<P>, or "
                "Finished<P, Result>, which finish() gives");
};

}  // namespace detail

template <class P> inline constexpr bool supplied_by_callee<CalleeDialog<P>> = true;
template <class P> inline constexpr bool opens_dialog<CalleeDialog<P>> = true;

template <class P> struct SuppliedByCallee<CalleeDialog<P>> {
 public:
  using error = detail::dialog_error<P>;
  using protocol = P;

  // Of what the function returns: what its caller gets, and what is wrong with it.
  template <class Returned> using answer = typename detail::FinishedResult<P, Returned>::type;
  template <class Returned> using answer_error =
      std::conditional_t<detail::FinishedResult<P, Returned>::is_finished, void,
                         detail::dialog_endpoint<P, Returned>>;

  explicit SuppliedByCallee(std::shared_ptr<runtime::ContextCore> const& context)
      : core_(detail::begin_dialog(context, Role::callee, automaton_of<P>)) {}

  SuppliedByCallee& get() noexcept { return *this; }

  operator CalleeDialog<P>() { return CalleeDialog<P>(detail::DialogHold(core_)); }

  template <class R> R accept(Finished<P, R> finished) {
    return detail::FinishedAccess::take(*core_, std::move(finished));
  }

  static void describe(SchemaArchive& schema) {
    schema.add("dialog<");
    schema.add(automaton_of<P>.text());
    schema.add(">");
  }

 private:
  std::shared_ptr<detail::DialogCore> core_;
};

}  // namespace tractor
