// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <tractor/buffer.hpp>
#include <tractor/context.hpp>
#include <tractor/dialog.hpp>
#include <tractor/errors.hpp>
#include <tractor/expose.hpp>
#include <tractor/function.hpp>
#include <trio/nursery.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tractor {

namespace runtime {
class Peer;
struct Outcome;
}  // namespace runtime

// How to end an actor through a portal.
struct CancelActorOptions {
  // How long to wait until it has cancelled its tasks and said goodbye.
  trio::Duration timeout = std::chrono::milliseconds(500);
};

// How calls through a portal behave: see Portal::with.
struct CallOptions {
  // When the caller is cancelled, how long it waits for the remote task, which is cancelled too, to
  // end; after that it goes on and the task's answer is dropped.
  trio::Duration cancel_patience = std::chrono::milliseconds(500);
};

namespace detail {

// How a body is called that gets a context, and the value that it started with, if there is one.
template <class Context, class Started, class Body> inline constexpr bool takes_started =
    std::is_invocable_v<Body&, Context&, Started>;
template <class Context, class Body> inline constexpr bool takes_started<Context, void, Body> =
    std::is_invocable_v<Body&, Context&>;

template <class Context, class Started, class Body> struct BodyResult {
  using type = std::invoke_result_t<Body&, Context&, Started>;
};

template <class Context, class Body> struct BodyResult<Context, void, Body> {
  using type = std::invoke_result_t<Body&, Context&>;
};

// Instantiated only to speak.
template <class Context, class Started> struct context_body {
  static constexpr bool fits = std::is_void_v<Context>;
  static_assert(fits,
                "tractor: the body of open_context<f>(arguments..., body) comes last, and takes "
                "(auto& ctx, Started value) as the protocol says, or (auto& ctx) where that has no "
                "Started");
};

template <class Stream> struct stream_body {
  static constexpr bool fits = std::is_void_v<Stream>;
  static_assert(
      fits,
      "tractor: the body of open_stream_from<f>(arguments..., body) comes last, and takes "
      "(auto& stream); f is a function whose first parameter is a SendStream<T>&");
};

template <class Dialog> struct dialog_body {
  static constexpr bool fits = std::is_void_v<Dialog>;
  static_assert(fits,
                "tractor: the body of open_dialog<f>(arguments..., body) comes last; it takes the "
                "dialog, (auto dialog), and returns what finish() gives at its end");
};

// What the body of a dialog of P finishes with.
template <class P, class Dialog, class Body> consteval auto finished_by() {
  if constexpr (std::is_invocable_v<Body&, Dialog>)
    return FinishedResult<P, std::invoke_result_t<Body&, Dialog>>();
  else
    return FinishedResult<P, void>();
}

[[noreturn]] void throw_context_was_cut_short();

// What a body returns whose context may end before it: nothing, an optional, or a value, without
// which it throws.
template <class Result, class Run> Result result_of_body(Run run) {
  static_assert(!std::is_reference_v<Result>,
                "tractor: the body of a context must return a value, not a reference");
  if constexpr (std::is_void_v<Result>) {
    run([](auto&& body) { body(); });
  } else {
    std::optional<Result> result;
    run([&](auto&& body) { result.emplace(body()); });
    if constexpr (trio::detail::IsOptional<Result>::value) {
      return result ? std::move(*result) : Result();
    } else {
      if (!result) throw_context_was_cut_short();
      return std::move(*result);
    }
  }
}

// The type of the last of a function's arguments, which are never none.
template <class... A> using Last = std::tuple_element_t<sizeof...(A) - 1, std::tuple<A...>>;

}  // namespace detail

// A handle for calling functions in another actor. Copies are handles to the same; they may outlive
// the block that made them (calls then fail), but belong to the run. Mirrors tractor.Portal.
class Portal {
 public:
  // Made by the library.
  explicit Portal(std::shared_ptr<runtime::Peer> peer, CallOptions options = {})
      : peer_(std::move(peer)), options_(options) {}

  // Calls F(args...) there and returns its result: `int three = portal.run<add>(1, 2);`. Arguments
  // are converted to F's parameters here; checked when compiled. A checkpoint.
  //
  // Cancelling the caller cancels the remote task, and the deadlines of the caller's scopes, as
  // they are when the call begins, hold there too. Throws for what F throws the error itself if its
  // type is registered (see RegisterErrors), or a group of such; else RemoteActorError;
  // ContextCancelled if the task there is cancelled by somebody else, a CallRefused,
  // SignatureMismatch, ActorDied, or TransportClosed; EncodeError for arguments that do not fit
  // into a message (1 GiB), DecodeError for a result that is none. Mirrors tractor's Portal.run.
  template <auto F, class... A> result_of<F> run(A&&... args) const {
    if constexpr (detail::remote_call_ok<F, A...>) {
      Buffer result = call(function_id<F>(), encode_arguments<F>(std::forward<A>(args)...));
      if constexpr (!std::is_void_v<result_of<F>>) return decode<result_of<F>>(std::move(result));
    } else {
      detail::remote_call_explain<F, A...>();
      std::abort();
    }
  }

  // Only says how it is written.
  template <class F, class... A> void run(F const&, A const&...) const {
    (void)sizeof(detail::function_as_argument<F>);
  }

  // Runs F over there as a task that is linked to this one by a context, and `body`, the last
  // argument, here, with the context and what F gave to started():
  //
  //   portal.open_context<simple_rpc>(10, [](auto& ctx, int started) {
  //     auto stream = ctx.open_stream();
  //     ...
  //   });
  //
  // The body takes (auto& ctx, Started value), or (auto& ctx) where F's protocol has no Started;
  // its ctx is a CallerContext<Protocol, Result>. The end waits until F has ended. Returns what the
  // body returns.
  //
  // If F fails or is cancelled, the body is cancelled, and this throws that: the error as run()
  // does, or ContextCancelled; before the body begins, if F fails before its started(). If the body
  // throws or is cancelled, F is cancelled, and its end awaited (see CallOptions); what the body
  // threw goes on. A ContextCancelled that comes of ctx.cancel() is not thrown; a body that
  // returns a value and is cut short by that makes this throw MisuseError: let it return void or a
  // std::optional. A checkpoint. Throws CallRefused, ActorDied, TransportClosed and so on as
  // run() does. Mirrors tractor's Portal.open_context.
  template <auto F, class... A> auto open_context(A&&... arguments_and_body) const {
    if constexpr (sizeof...(A) == 0)
      (void)sizeof(detail::context_body<detail::Types<A...>, void>);
    else
      return open_with_body<F>(std::make_index_sequence<sizeof...(A) - 1>(),
                               std::forward_as_tuple(std::forward<A>(arguments_and_body)...));
  }

  // Runs F over there, whose first parameter is a SendStream<T>&, and `body`, the last argument,
  // here, with the ReceiveStream<T> of what F sends; returns what the body returns. When the body
  // returns before F does, F is cancelled. A checkpoint. Throws as open_context(). Mirrors
  // tractor's Portal.open_stream_from.
  template <auto F, class... A> auto open_stream_from(A&&... arguments_and_body) const {
    if constexpr (sizeof...(A) == 0)
      (void)sizeof(detail::stream_body<detail::Types<A...>>);
    else
      return stream_to_body<F>(std::make_index_sequence<sizeof...(A) - 1>(),
                               std::forward_as_tuple(std::forward<A>(arguments_and_body)...));
  }

  // Runs F over there, whose first parameter is a CalleeDialog<P>, and `body`, the last argument,
  // here, with the CallerDialog<P>; see dialog.hpp:
  //
  //   portal.open_dialog<serve>(arguments..., [](auto dialog) {
  //     return std::move(dialog).send(Hello{}).finish();
  //   });
  //
  // The body returns what finish() gave it at the end of this dialog: Finished<P>. The end waits
  // until F has returned, too. Returns what F has finished with; or what the body has, if F has
  // finished with nothing; a std::pair of both, the body's first, if both have.
  //
  // A dialog that one side leaves by an exception or a cancellation is cut short for both, as a
  // context is; what its other side waits for meanwhile throws StreamAborted. A checkpoint. Throws
  // as open_context(); DialogMisuse if the body returns the end of another dialog.
  template <auto F, class... A> auto open_dialog(A&&... arguments_and_body) const {
    if constexpr (sizeof...(A) == 0)
      (void)sizeof(detail::dialog_body<detail::Types<A...>>);
    else
      return dialog_with_body<F>(std::make_index_sequence<sizeof...(A) - 1>(),
                                 std::forward_as_tuple(std::forward<A>(arguments_and_body)...));
  }

  // The same portal with other options for calls: portal.with({.cancel_patience = 5s}).run<f>().
  Portal with(CallOptions options) const { return Portal(peer_, options); }

  // Asks the actor to end: its tasks are cancelled, its clean-up runs, its process exits. Returns
  // whether it has said its last word in time, or died; its nursery reaps it in any case. Only a
  // parent's word counts: others wait in vain. A checkpoint. Throws std::invalid_argument for a
  // negative timeout. Mirrors tractor's Portal.cancel_actor.
  bool cancel_actor(CancelActorOptions options = {}) const;

  // The actor at the other end.
  ActorId const& actor() const;

  // Calls made to that actor that have no answer yet; and calls made by it, of functions here, that
  // are still running. Not checkpoints.
  std::size_t open_calls() const;
  std::size_t open_tasks() const;

  // For the library.
  runtime::Peer& peer() const noexcept { return *peer_; }

 private:
  using ContextBody =
      std::function<void(std::shared_ptr<runtime::ContextCore> const& core, Buffer started)>;

  Buffer call(FunctionId const& function, Buffer arguments) const;
  void open(FunctionId const& function, Buffer arguments, ContextBody const& body) const;

  template <auto F, std::size_t... I, class Given>
  auto open_with_body(std::index_sequence<I...>, Given given) const {
    auto& body = std::get<sizeof...(I)>(given);
    using Body = std::remove_reference_t<decltype(body)>;
    if constexpr (detail::remote_context_ok<F, std::tuple_element_t<I, Given>...>) {
      using P = detail::protocol_of<F>;
      using Context = CallerContext<P, result_of<F>>;
      using Started = started_of<P>;
      if constexpr (detail::takes_started<Context, Started, Body>) {
        using Result = typename detail::BodyResult<Context, Started, Body>::type;
        auto arguments = encode_arguments<F>(
            std::forward<std::tuple_element_t<I, Given>>(std::get<I>(given))...);
        return detail::result_of_body<Result>([&](auto keep) {
          open(function_id<F>(), std::move(arguments), [&](auto const& core, Buffer started) {
            Context context(core);
            if constexpr (std::is_void_v<Started>)
              keep([&] { return std::invoke(body, context); });
            else
              keep([&] { return std::invoke(body, context, decode<Started>(std::move(started))); });
          });
        });
      } else {
        (void)sizeof(detail::context_body<Context, Started>);
      }
    } else {
      detail::remote_context_explain<F, std::tuple_element_t<I, Given>...>();
    }
  }

  template <auto F, std::size_t... I, class Given>
  auto stream_to_body(std::index_sequence<I...>, Given given) const {
    auto& body = std::get<sizeof...(I)>(given);
    using Body = std::remove_reference_t<decltype(body)>;
    if constexpr (!detail::remote_context_ok<F, std::tuple_element_t<I, Given>...>) {
      detail::remote_context_explain<F, std::tuple_element_t<I, Given>...>();
    } else if constexpr (detail::is_one_way<F>) {
      using P = detail::protocol_of<F>;
      using Context = CallerContext<P, result_of<F>>;
      using Received = ReceiveStream<to_caller_of<P>>;
      if constexpr (std::is_invocable_v<Body&, Received&>) {
        auto arguments = encode_arguments<F>(
            std::forward<std::tuple_element_t<I, Given>>(std::get<I>(given))...);
        return detail::result_of_body<std::invoke_result_t<Body&, Received&>>([&](auto keep) {
          open(function_id<F>(), std::move(arguments), [&](auto const& core, Buffer) {
            Context context(core);
            Received stream = context.open_stream();
            keep([&] { return std::invoke(body, stream); });
            if (context.state() != ContextState::returned)
              context.cancel(
                  {.timeout = options_.cancel_patience, .reason = "the stream was left"});
          });
        });
      } else {
        (void)sizeof(detail::stream_body<Received>);
      }
    } else {
      (void)sizeof(detail::stream_body<detail::Types<Body>>);
    }
  }

  template <auto F, std::size_t... I, class Given>
  auto dialog_with_body(std::index_sequence<I...>, Given given) const {
    auto& body = std::get<sizeof...(I)>(given);
    using Body = std::remove_reference_t<decltype(body)>;
    if constexpr (!detail::remote_dialog_ok<F, std::tuple_element_t<I, Given>...>) {
      detail::remote_dialog_explain<F, std::tuple_element_t<I, Given>...>();
    } else {
      using P = detail::protocol_of<F>;
      using Finishing = decltype(detail::finished_by<P, CallerDialog<P>, Body>());
      if constexpr (!Finishing::is_finished) {
        (void)sizeof(detail::dialog_body<CallerDialog<P>>);
      } else {
        using Here = typename Finishing::type;
        using There = result_of<F>;
        auto arguments = encode_arguments<F>(
            std::forward<std::tuple_element_t<I, Given>>(std::get<I>(given))...);
        std::shared_ptr<runtime::ContextCore> context;
        auto const run_body = [&] {
          return detail::result_of_body<Here>([&](auto keep) {
            open(function_id<F>(), std::move(arguments), [&](auto const& core, Buffer) {
              context = core;
              auto const dialog = detail::begin_dialog(core, Role::caller, automaton_of<P>);
              keep([&] {
                return detail::FinishedAccess::take(
                    *dialog, std::invoke(body, CallerDialog<P>(detail::DialogHold(dialog))));
              });
            });
          });
        };
        if constexpr (std::is_void_v<There>) {
          return run_body();
        } else if constexpr (std::is_void_v<Here>) {
          run_body();
          return *CallerContext<P, There>(context).outcome()->value;
        } else {
          Here here = run_body();
          return std::pair<Here, There>(std::move(here),
                                        *CallerContext<P, There>(context).outcome()->value);
        }
      }
    }
  }

  std::shared_ptr<runtime::Peer> peer_;
  CallOptions options_;
};

// portal.run<F>(args...), for templates, where that would have to be written
// portal.template run<F>(args...).
template <auto F, class... A> result_of<F> run(Portal const& portal, A&&... args) {
  return portal.run<F>(std::forward<A>(args)...);
}

namespace detail {
// Waits for the outcome of a run_in_actor; see ResultPortal::result.
std::span<std::byte const> wait_for_result(runtime::Outcome& outcome);
}  // namespace detail

// The portal that run_in_actor returns: to an actor with one task, whose result it can fetch.
template <class R> class ResultPortal : public Portal {
 public:
  // Made by the library.
  ResultPortal(Portal portal, std::shared_ptr<runtime::Outcome> outcome)
      : Portal(std::move(portal)), outcome_(std::move(outcome)) {}

  // The result of the actor's task; waits for it. May be asked again, and after the nursery has
  // ended. A checkpoint inside a task; outside of any, throws NoRuntime if it is not there yet.
  // Throws what the task threw, as Portal::run does. Mirrors tractor's Portal.result.
  R result() const {
    auto const bytes = detail::wait_for_result(*outcome_);
    if constexpr (!std::is_void_v<R>) return decode<R>(bytes);
  }

 private:
  std::shared_ptr<runtime::Outcome> outcome_;
};

}  // namespace tractor
