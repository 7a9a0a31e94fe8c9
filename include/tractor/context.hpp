// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <tractor/archive.hpp>
#include <tractor/context_state.hpp>
#include <tractor/errors.hpp>
#include <tractor/function.hpp>
#include <tractor/protocol.hpp>
#include <tractor/stream.hpp>
#include <tractor/stream_options.hpp>
#include <trio/time.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace tractor {

// Two tasks, linked across processes: the one that opened the context and the one that runs its
// function over there. Neither outlives the other; what one returns, throws or is cancelled by, the
// other gets. This is what both sides have of it. Copies are handles to the same; they may outlive
// it. For one run's thread only. Mirrors tractor.Context.
class ContextBase {
 public:
  // Made by the library.
  explicit ContextBase(std::shared_ptr<runtime::ContextCore> core) noexcept
      : core_(std::move(core)) {}

  // The actor at the other end.
  ActorId const& actor() const noexcept;

  // None of these is a checkpoint.
  ContextState state() const;
  // What it has ended with, if not by a result; also the ContextCancelled of a cancellation that
  // this side has asked for. Null while it goes on. Mirrors Context.maybe_error.
  std::exception_ptr error() const noexcept;
  // Whether cancel() was called at this side.
  bool cancel_called() const noexcept;
  // Who has cancelled it, as seen from here: this actor, or the one at the other end, which may
  // have done so for a third: see ContextCancelled::canceller. Empty if it was not cancelled.
  // Mirrors Context.canceller.
  std::optional<ActorId> canceller() const;

  // For the library.
  std::shared_ptr<runtime::ContextCore> const& core() const noexcept { return core_; }

 protected:
  void start(Buffer value);
  void cancel_callee(std::string reason);
  void cancel_caller(std::string reason, trio::Duration timeout);
  void open(StreamOptions const& options);
  std::span<std::byte const> wait_for_result(bool has_value);
  std::optional<std::span<std::byte const>> result_if_there() const noexcept;

 private:
  std::shared_ptr<runtime::ContextCore> core_;
};

namespace detail {

// started() of a callee, if its protocol has it.
template <class P, class Started = started_of<P>> class Starting : public ContextBase {
 public:
  using ContextBase::ContextBase;

  // Tells the caller, whose body begins with this value; exactly once, before anything is sent or
  // the function returns. Not a checkpoint. Throws MisuseError the second time; TransportClosed;
  // EncodeError. Mirrors Context.started.
  template <class T = Started> void started(T&& value) {
    constexpr bool converts = std::is_convertible_v<T&&, Started>;
    static_assert(converts, "tractor: this does not convert to the Started of the protocol");
    if constexpr (converts) start(encode<Started>(std::forward<T>(value)));
  }
};

// Without one, the context starts by itself.
template <class P> class Starting<P, void> : public ContextBase {
 public:
  using ContextBase::ContextBase;
};

void start_without_value(runtime::ContextCore& core);

}  // namespace detail

// A context as its function has it, which takes it first: `int serve(tractor::Context<P>& ctx,
// ...)`. The names that P defines are its protocol. Mirrors tractor.Context on the callee's side.
template <class P> class Context : public detail::Starting<P> {
 public:
  using detail::Starting<P>::Starting;

  // The stream; once. Not a checkpoint. Throws MisuseError before started(), or if it is open or
  // this side has cancelled the context; ClosedResourceError if it was closed;
  // std::invalid_argument for a window of nothing; what the context has ended with. Mirrors
  // Context.open_stream.
  Stream<to_callee_of<P>, to_caller_of<P>> open_stream(StreamOptions const& options = {}) {
    this->open(options);
    return Stream<to_callee_of<P>, to_caller_of<P>>(this->core());
  }

  // Cancels this task: it gets Cancelled at its next checkpoint, and the caller gets
  // ContextCancelled, by this actor. Idempotent; not a checkpoint. Mirrors Context.cancel.
  void cancel(std::string reason = {}) { this->cancel_callee(std::move(reason)); }
};

// How to cancel from the caller's side.
struct CancelContextOptions {
  // How long to wait until the callee has ended.
  trio::Duration timeout = std::chrono::milliseconds(616);
  std::string reason = {};
};

// How a context has ended: one of the two is there.
template <class R> struct ContextOutcome {
  // What the function returned.
  std::optional<R> value = {};
  // See ContextBase::error.
  std::exception_ptr error = {};
};

template <> struct ContextOutcome<void> {
  std::exception_ptr error = {};
};

// A context as the body of Portal::open_context has it; R is what its function returns. Mirrors
// tractor.Context on the caller's side.
template <class P, class R> class CallerContext : public ContextBase {
 public:
  using ContextBase::ContextBase;

  // The stream; as Context::open_stream. After the function has returned, it has what is unread,
  // if result() was not asked for before: until then, MisuseError after that.
  Stream<to_caller_of<P>, to_callee_of<P>> open_stream(StreamOptions const& options = {}) {
    open(options);
    return Stream<to_caller_of<P>, to_callee_of<P>>(core());
  }

  // Cancels the task over there, and waits for its end, but not longer than agreed; this task is
  // not cancelled. That it ends so is no error then: the body goes on, what it waits for in this
  // context throws ContextCancelled, and open_context does not. If others call it than the task of
  // the body, the body is cancelled, too. Idempotent. A checkpoint, shielded. Mirrors
  // Context.cancel.
  void cancel(CancelContextOptions options = {}) {
    cancel_caller(std::move(options.reason), options.timeout);
  }

  // The function's result; waits for it. May be asked again. If no stream is open, what the
  // function still sends is not kept. A checkpoint. Throws what the context has ended with; for a
  // context that was cancelled from here, a void one returns. Mirrors Context.wait_for_result.
  R result() {
    auto const bytes = wait_for_result(!std::is_void_v<R>);
    if constexpr (!std::is_void_v<R>) return decode<R>(bytes);
  }

  // How it has ended; empty while it goes on. Not a checkpoint. Mirrors Context.outcome.
  std::optional<ContextOutcome<R>> outcome() const {
    if (auto const failed = error()) {
      ContextOutcome<R> outcome;
      outcome.error = failed;
      return outcome;
    }
    auto const bytes = result_if_there();
    if (!bytes) return std::nullopt;
    ContextOutcome<R> outcome;
    if constexpr (!std::is_void_v<R>) outcome.value.emplace(decode<R>(*bytes));
    return outcome;
  }
};

template <class P> inline constexpr bool supplied_by_callee<Context<P>&> = true;

template <class P> struct SuppliedByCallee<Context<P>&> {
 public:
  using error = typename decltype(detail::protocol_flaw<P>())::type;
  using protocol = P;

  explicit SuppliedByCallee(std::shared_ptr<runtime::ContextCore> const& core) : context_(core) {
    if constexpr (std::is_void_v<started_of<P>>) detail::start_without_value(*core);
  }

  Context<P>& get() noexcept { return context_; }

  static void describe(SchemaArchive& schema) { detail::describe_protocol<P>(schema); }

 private:
  Context<P> context_;
};

// The protocol of a function that is a one-way stream.
template <class T> struct OneWay {
  using ToCaller = T;
};

template <class T> inline constexpr bool supplied_by_callee<SendStream<T>&> = true;

template <class T> struct SuppliedByCallee<SendStream<T>&> {
 public:
  using error = typename decltype(detail::protocol_flaw<OneWay<T>>())::type;
  using protocol = OneWay<T>;

  explicit SuppliedByCallee(std::shared_ptr<runtime::ContextCore> const& core)
      : context_(core), stream_(context_.get().open_stream()) {}

  SendStream<T>& get() noexcept { return stream_; }

  static void describe(SchemaArchive& schema) { detail::describe_protocol<OneWay<T>>(schema); }

 private:
  SuppliedByCallee<Context<OneWay<T>>&> context_;
  SendStream<T> stream_;
};

namespace detail {

// What F's first parameter says.
template <auto F> using protocol_of =
    typename SuppliedByCallee<typename signature_of<F>::all::template at<0>>::protocol;

template <auto F> inline constexpr bool is_one_way = false;
template <auto F>
  requires takes_context<F>
inline constexpr bool is_one_way<F> =
    !std::is_same_v<typename signature_of<F>::all::template at<0>, Context<protocol_of<F>>&>;

}  // namespace detail

}  // namespace tractor
