// SPDX-License-Identifier: BSL-1.0
#include "context_core.hpp"

#include "boxing.hpp"
#include "payload.hpp"
#include "peer.hpp"

#include <tractor/error_types.hpp>
#include <tractor/errors.hpp>
#include <tractor/wire_errors.hpp>
#include <trio/cancel_scope.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>
#include <trio/lowlevel.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

namespace tractor::runtime {

using ipc::Lane;

namespace {

RegisterErrors<StreamOverrun> const overrun_crosses;

// Larger items travel alone, not copied; and with so much together it is time to go.
constexpr std::size_t largest_to_share = 4096;
constexpr std::size_t enough_to_send = 64 * 1024;

}  // namespace

class ContextCore::Waiting {
 public:
  explicit Waiting(ContextCore& core) : core_(core) {
    is_owner_ = core.owner_ == &trio::lowlevel::current_task();
    core_.owner_waits_ += is_owner_;
  }

  Waiting(Waiting const&) = delete;
  Waiting& operator=(Waiting const&) = delete;

  ~Waiting() { core_.owner_waits_ -= is_owner_; }

 private:
  ContextCore& core_;
  bool is_owner_;
};

ContextCore::ContextCore(std::shared_ptr<Peer> peer, Side side, std::uint64_t dialog,
                         FunctionId function)
    : peer_(std::move(peer)), dialog_(dialog), function_(function), rules_(side) {}

// ---------------------------------------------------------------------------------- what it is

ActorId const& ContextCore::other() const noexcept { return peer_->id(); }

bool ContextCore::ended_as_we_wanted() const {
  if (rules_.side() != Side::caller || !cancel_called_) return false;
  auto const* cancelled = trio::exception_cast<ContextCancelled>(error_);
  return cancelled && cancelled->source() == other() && cancelled->canceller() == peer_->self();
}

ContextState ContextCore::state() const {
  if (error_) {
    auto const* cancelled = trio::exception_cast<ContextCancelled>(error_);
    if (!cancelled) return ContextState::errored;
    if (ended_as_we_wanted()) return ContextState::self_cancelled;
    return cancelled->of_actor() ? ContextState::actor_cancelled : ContextState::peer_cancelled;
  }
  if (rules_.side() == Side::callee && cancel_requested())
    return cancel_called_ ? ContextState::self_cancelled : ContextState::peer_cancelled;
  if (is_over()) return ContextState::returned;
  if (!is_started()) return ContextState::starting;
  switch (stream_) {
    case Stream::unopened:
      return ContextState::started;
    case Stream::open:
      return ContextState::streaming;
    case Stream::closed:
      break;
  }
  return ContextState::streaming_finished;
}

std::optional<ActorId> ContextCore::canceller() const {
  if (rules_.side() == Side::callee) {
    if (cancelled_by_caller_) return other();
    if (cancel_called_) return peer_->self();
    return std::nullopt;
  }
  if (trio::exception_cast<ContextCancelled>(error_) && !ended_as_we_wanted()) return other();
  if (cancel_called_) return peer_->self();
  return std::nullopt;
}

std::optional<std::span<std::byte const>> ContextCore::result() const noexcept {
  if (!is_over() || error_) return std::nullopt;
  return result_.bytes();
}

// --------------------------------------------------------------------------- beginning and end

void ContextCore::start(Buffer value) {
  if (error_) std::rethrow_exception(error_);
  if (is_over())
    throw trio::MisuseError("tractor: started() after the end of the context of " + endpoint());
  if (is_started())
    throw trio::MisuseError("tractor: started() a second time in one context of " + endpoint());
  check_payload_size(value, "what a context is started with");
  peer_->send(Lane::data, wire::Started{dialog_}, std::move(value));
  rules_.start();
}

void ContextCore::wait_started() {
  Waiting const waiting(*this);
  begun_.wait();
}

void ContextCore::cancel_callee(std::string reason) {
  cancel_called_ = true;
  if (scope_)
    scope_->cancel(
        {trio::CancelSource::call, trio::lowlevel::current_task().name(), std::move(reason)});
}

void ContextCore::cancel_caller(std::string reason, trio::Duration timeout) {
  if (!is_over() && !cancel_called_) {
    auto const& task = trio::lowlevel::current_task();
    cancel_called_ = true;
    cancel_called_by_owner_ = &task == owner_;
    request_cancel(task.name(), std::move(reason));
  }
  trio::shielded([&] { static_cast<void>(trio::move_on_after(timeout, [&] { over_.wait(); })); });
}

void ContextCore::request_cancel(std::string source_task, std::string reason) noexcept {
  if (!is_over())
    peer_->try_send(Lane::control,
                    wire::Cancel{dialog_, std::move(source_task), std::move(reason)});
}

void ContextCore::cancelled_by_caller(trio::CancelReason reason) {
  if (!cancel_requested()) cancelled_by_caller_ = true;
  if (scope_) scope_->cancel(std::move(reason));
}

std::span<std::byte const> ContextCore::wait_for_result(bool has_value) {
  // Of a stream that nobody has opened, nobody reads what might keep the callee from its end.
  if (stream_ == Stream::unopened && rules_.turn_deaf())
    peer_->try_send(Lane::control, wire::Deaf{dialog_});
  Waiting const waiting(*this);
  over_.wait();
  if (error_ && (has_value || !ended_as_we_wanted())) std::rethrow_exception(error_);
  return result_.bytes();
}

void ContextCore::end(std::exception_ptr error) {
  if (is_over()) return;
  rules_.end();
  if (!error_) error_ = error ? std::move(error) : overrun_;
  begun_.set();
  over_.set();
  wake_all();
  if (error_ && rules_.side() == Side::caller) interrupt("the context has ended");
}

void ContextCore::lose_link(std::exception_ptr reason) {
  // The callee's own error says more.
  if (auto early = take_early_error()) reason = unbox(std::move(*early));
  end(std::move(reason));
}

void ContextCore::set_scope(trio::CancelScope* scope) {
  scope_ = scope;
  if (scope_ && error_) interrupt("the context has ended");
}

void ContextCore::wake_all() {
  promised_ = 0;
  readers_.unpark_all();
  credit_.unpark_all();
}

void ContextCore::interrupt(std::string const& why) {
  // Whoever waits here is told in person; of a cancellation of its own, not twice.
  if (ended_as_we_wanted() && (cancel_called_by_owner_ || owner_waits_ > 0)) return;
  if (scope_)
    scope_->cancel({trio::CancelSource::remote, describe(other()),
                    why + ": " + trio::describe(error_).substr(0, 500)});
}

// --------------------------------------------------------------------------------- the stream

void ContextCore::open_stream(StreamOptions const& options) {
  if (options.window < 1 || options.window_bytes < 1)
    throw std::invalid_argument("tractor: open_stream(): the window must let an item through");
  if (stream_ == Stream::open)
    throw trio::MisuseError("tractor: the stream of this context is open already");
  if (error_) std::rethrow_exception(error_);
  if (stream_ == Stream::closed)
    throw trio::ClosedResourceError(
        "tractor: the stream of this context was closed; a context has but one");
  if (!is_started())
    throw trio::MisuseError("tractor: open_stream() before started() in the context of " +
                            endpoint());
  // The peer sends nothing to who does not read, and does not say what.
  if (rules_.is_deaf() && !is_over())
    throw trio::MisuseError(
        "tractor: open_stream() after result(): what the function has sent meanwhile was not kept; "
        "open the stream before");
  // What the caller has cancelled meanwhile is no misuse of the callee's: its next checkpoint
  // tells.
  if (cancel_called_)
    throw trio::MisuseError("tractor: open_stream() in a context that was cancelled");
  stream_ = Stream::open;
  options_ = options;
  // "No limit" is more than can be granted.
  say_credit(rules_.set_window(
      {static_cast<std::uint32_t>(
           std::min<std::size_t>(options.window, std::numeric_limits<std::uint32_t>::max())),
       std::min<std::uint64_t>(options.window_bytes, wire::largest_window_bytes)}));
  if (options.overrun == Overrun::wait) return;
  // What waited for this is judged as if it came now.
  for (auto& item : std::exchange(items_, {})) {
    buffered_bytes_ -= item.size();
    say_credit(rules_.read(item.size()));
    if (make_room(item.size())) {
      buffered_bytes_ += item.size();
      items_.push_back(std::move(item));
    }
  }
}

void ContextCore::close_stream(Flow how) noexcept {
  if (stream_ == Stream::closed) return;
  stream_ = Stream::closed;
  if (rules_.end_outgoing(how)) {
    if (how == Flow::stopped) {
      flush_items();
      peer_->try_send(Lane::data, wire::Stop{dialog_});
    } else {
      // The exception that unwinds most often ends the task at once: then that is the better news.
      abort_unsaid_ = true;
      peer_->flush_later(shared_from_this());
    }
  }
  if (rules_.turn_deaf()) peer_->try_send(Lane::control, wire::Deaf{dialog_});
  items_.clear();
  buffered_bytes_ = 0;
  wake_all();
}

void ContextCore::flush() noexcept {
  flush_items();
  if (std::exchange(abort_unsaid_, false) && !is_over())
    peer_->try_send(Lane::data, wire::Abort{dialog_});
}

void ContextCore::end_sending() {
  check_stream();
  if (!rules_.end_outgoing(Flow::stopped)) return;
  flush_items();
  peer_->try_send(Lane::data, wire::Stop{dialog_});
  credit_.unpark_all();
}

void ContextCore::check_stream() const {
  if (stream_ == Stream::closed)
    throw trio::ClosedResourceError("tractor: this stream was closed at this end");
  if (error_) std::rethrow_exception(error_);
}

void ContextCore::send(Buffer item) {
  trio::lowlevel::checkpoint_if_cancelled();
  check_payload_size(item, "an item of a stream");
  check_stream();
  bool const waits = rules_.is_heard() && (!rules_.may_send() || sending_.locked());
  if (waits) wait_for_credit();
  if (rules_.outgoing() != Flow::open)
    throw trio::ClosedResourceError("tractor: send() after the end of this stream");
  // Whom nobody hears, nobody keeps from talking.
  if (rules_.is_heard()) {
    rules_.send(item.size());
    send_now_or_with_more(std::move(item));
  }
  if (!waits) trio::lowlevel::cancel_shielded_checkpoint();
}

void ContextCore::send_now_or_with_more(Buffer item) {
  if (item.size() > largest_to_share) {
    flush_items();
    peer_->send(Lane::data, wire::Yield{dialog_}, std::move(item));
    return;
  }
  unsent_bytes_ += item.size() + sizeof(wire::ItemSize);
  unsent_.push_back(std::move(item));
  if (unsent_bytes_ >= enough_to_send || peer_->take_first_turn())
    flush_items();
  else if (unsent_.size() == 1)
    peer_->flush_later(shared_from_this());
}

void ContextCore::flush_items() noexcept {
  if (unsent_.empty()) return;
  if (!is_over()) {
    if (unsent_.size() == 1)
      peer_->try_send(Lane::data, wire::Yield{dialog_}, std::move(unsent_.front()));
    else
      peer_->try_send(Lane::data, wire::Yields{dialog_}, wire::join_items(unsent_, unsent_bytes_));
  }
  unsent_.clear();
  unsent_bytes_ = 0;
}

void ContextCore::wait_for_credit() {
  Waiting const waiting(*this);
  auto const turn = sending_.guard();
  // Whoever waits for its turn is not woken when the context ends, but gets its turn.
  check_stream();
  while (rules_.is_heard() && rules_.outgoing() == Flow::open && !rules_.may_send()) {
    flush_items();
    credit_.park();
    check_stream();
  }
}

std::optional<Buffer> ContextCore::next() {
  trio::lowlevel::checkpoint_if_cancelled();
  for (bool waited = false;; waited = true) {
    check_stream();
    auto item = take();
    if (item || at_end()) {
      if (!waited) trio::lowlevel::cancel_shielded_checkpoint();
      return item;
    }
    // An answer may depend on it.
    flush_items();
    Waiting const waiting(*this);
    readers_.park();
    if (promised_ > 0) --promised_;
  }
}

std::optional<Buffer> ContextCore::next_nowait() {
  check_stream();
  auto item = take();
  if (!item && !at_end()) throw trio::WouldBlock();
  return item;
}

std::optional<Buffer> ContextCore::take() {
  if (items_.size() <= promised_) return std::nullopt;
  std::optional<Buffer> item(std::move(items_.front()));
  items_.pop_front();
  buffered_bytes_ -= item->size();
  if (options_.overrun == Overrun::wait) say_credit(rules_.read(item->size()));
  return item;
}

bool ContextCore::at_end() const {
  if (rules_.incoming() == Flow::aborted) std::rethrow_exception(aborted_);
  // After an overrun the callee's own end tells the whole story.
  return is_over() || (rules_.incoming() == Flow::stopped && !overrun_);
}

void ContextCore::accept(Buffer item) {
  if (!rules_.on_item(item.size()) || overrun_) return;
  if (stream_ == Stream::open && options_.overrun != Overrun::wait) {
    say_credit(rules_.read(item.size()));
    if (!make_room(item.size())) return;
  }
  buffered_bytes_ += item.size();
  items_.push_back(std::move(item));
  if (readers_.unpark_one()) ++promised_;
}

bool ContextCore::make_room(std::size_t size) {
  auto const is_full = [&] {
    return items_.size() >= options_.window ||
           (!items_.empty() && buffered_bytes_ + size > options_.window_bytes);
  };
  if (!is_full()) return true;
  switch (options_.overrun) {
    case Overrun::wait:
      break;
    case Overrun::error:
      overrun();
      return false;
    case Overrun::drop_oldest:
      while (is_full()) {
        buffered_bytes_ -= items_.front().size();
        items_.pop_front();
        ++dropped_;
      }
      break;
    case Overrun::drop_newest:
      ++dropped_;
      return false;
  }
  return true;
}

void ContextCore::overrun() {
  if (overrun_) return;
  overrun_ = std::make_exception_ptr(StreamOverrun(
      "tractor: actor " + describe(other()) + " sends more than this stream of " + endpoint() +
      " has room for, which is " + std::to_string(options_.window) + " items or " +
      std::to_string(options_.window_bytes) + " bytes; read faster, or use Overrun::wait"));
  if (rules_.side() == Side::caller) {
    // The callee fails of it, and its end tells us.
    peer_->try_send(Lane::control, box_error(overrun_, endpoint(), dialog_, peer_->self(),
                                             peer_->is_same_build()));
    return;
  }
  error_ = overrun_;
  wake_all();
  interrupt("its stream has overrun");
}

void ContextCore::say_credit(std::optional<wire::Grant> grant) {
  if (grant) peer_->try_send(Lane::control, wire::Credit{dialog_, grant->items, grant->bytes});
}

// ------------------------------------------------------------------------ what the peer says

void ContextCore::on(wire::Started const&, Buffer value) {
  rules_.on_started();
  started_value_ = std::move(value);
  begun_.set();
}

void ContextCore::on(wire::Yield const&, Buffer item) { accept(std::move(item)); }

void ContextCore::on(wire::Yields const&, Buffer items) {
  for (Buffer& item : wire::split_items(std::move(items), rules_.granted()))
    accept(std::move(item));
}

void ContextCore::on(wire::Stop const&, Buffer) {
  rules_.on_end_of_stream(Flow::stopped);
  wake_all();
}

void ContextCore::on(wire::Abort const&, Buffer) {
  rules_.on_end_of_stream(Flow::aborted);
  aborted_ = std::make_exception_ptr(
      StreamAborted("tractor: actor " + describe(other()) + " left its stream in the context of " +
                    endpoint() + " by an exception: what came is not all"));
  wake_all();
}

void ContextCore::on(wire::Credit const& credit, Buffer) {
  rules_.on_credit({credit.items, credit.bytes});
  credit_.unpark_all();
}

void ContextCore::on(wire::Deaf const&, Buffer) {
  rules_.on_deaf();
  credit_.unpark_all();
}

void ContextCore::on(wire::Return const&, Buffer result) {
  rules_.on_return();
  result_ = std::move(result);
  end(nullptr);
}

void ContextCore::on(wire::Error error, Buffer) {
  rules_.on_error();
  if (rules_.side() == Side::caller) return end(unbox(std::move(error)));
  if (error_) return;
  error_ = unbox(std::move(error));
  wake_all();
  interrupt("its caller has failed it");
}

}  // namespace tractor::runtime
