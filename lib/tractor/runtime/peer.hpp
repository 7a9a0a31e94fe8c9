// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../ipc/transport.hpp"
#include "../wire/message.hpp"
#include "context_core.hpp"
#include "flusher.hpp"

#include <tractor/actor_id.hpp>
#include <tractor/buffer.hpp>
#include <tractor/expose.hpp>
#include <trio/cancel_scope.hpp>
#include <trio/event.hpp>
#include <trio/time.hpp>

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tractor {

class LocalActor;

namespace runtime {

// One call that we made, until its answer is there.
struct Call {
  std::uint64_t dialog = 0;
  trio::Event done = {};
  // One of the two, once done.
  Buffer result = {};
  std::exception_ptr error = {};
  // It ended because the other task was cancelled.
  bool was_cancelled = false;

  // Whether the function there threw: it was neither cancelled, refused nor cut off.
  bool was_thrown() const noexcept;
};

// Another actor, as one link with it shows: the dialogs both ways and who they belong to. One task,
// serve(), reads the link; everybody may write.
class Peer : public std::enable_shared_from_this<Peer> {
 public:
  enum class Side { connected, listened };

  Peer(LocalActor& actor, std::unique_ptr<ipc::Link> link, Side side);
  Peer(Peer const&) = delete;
  Peer& operator=(Peer const&) = delete;

  // The handshake, before serve(): says who we are and waits to be let in. Checkpoints. Throws
  // TransportClosed, DecodeError.
  void introduce_ourselves();
  // The other side of it. Refuses anybody but `expected`; the pid must be the kernel's word.
  void await_introduction(ActorId const& expected);

  // Reads messages until the link is over, by Goodbye and Farewell or otherwise; then every call
  // still open fails and every task it had us start is cancelled. `explain` may find a better
  // reason than TransportClosed for an end in disorder; it may wait. Lets only Cancelled out.
  using Explain = std::function<std::exception_ptr(std::exception_ptr)>;
  void serve(Explain const& explain = {});

  // Waits until the handshake is done. A checkpoint. Throws what broke it.
  void wait_ready();

  bool is_ready() const noexcept { return ready_.is_set(); }

  bool is_over() const noexcept { return over_.is_set(); }

  // Set when the link is over.
  trio::Event& over() noexcept { return over_; }

  // Set when it was asked to end, or the link is over.
  trio::Event& ending() noexcept { return ending_; }

  // Whether it ended in good order.
  bool said_goodbye() const noexcept { return goodbyes_ == 2; }

  // Why calls fail from here on; the first reason stays. Ends the link.
  void fail(std::exception_ptr reason);

  // Begins a call; not a checkpoint. Throws if the link is over.
  std::shared_ptr<Call> begin_call(FunctionId const& function, Buffer arguments);
  // A whole call: waits for the answer; cancelled, it cancels the task there and waits until that
  // has ended, but not longer than `patience`. A checkpoint.
  Buffer call(FunctionId const& function, Buffer arguments, trio::Duration patience);

  // A whole context: runs `body` when the callee has started it, with the core and the value it
  // started with; see Portal::open_context. A checkpoint.
  using ContextBody = std::function<void(std::shared_ptr<ContextCore> const&, Buffer)>;
  void open_context(FunctionId const& function, Buffer arguments, trio::Duration patience,
                    ContextBody const& body);

  // Whether the scheduler of the actor answers within `patience`; true if the link ends meanwhile.
  // A checkpoint. One task at a time.
  bool answers_within(trio::Duration patience);

  // Asks the actor to end, as soon as the handshake is done. Not a checkpoint; does nothing if the
  // link is over.
  void request_cancel(std::string reason);

  // Our last words: nothing is sent after them. Waits for the peer's farewell, not longer than
  // `patience`. A checkpoint.
  void say_goodbye(trio::Duration patience);

  ActorId const& id() const noexcept { return id_; }

  ActorId const& self() const noexcept { return self_; }

  void set_id(ActorId id) { id_ = std::move(id); }

  // Dialogs that we began and that are open, and those that the peer began.
  std::size_t open_calls() const noexcept { return calls_.size() + opened_contexts_; }

  std::size_t open_tasks() const noexcept { return tasks_.size(); }

  // Whether its program was built as ours was.
  bool is_same_build() const noexcept { return same_build_; }

  // Throws if the link is over.
  void send(ipc::Lane lane, wire::Message const& message, Buffer payload = {});
  // The same, if the link is not over.
  void try_send(ipc::Lane lane, wire::Message const& message, Buffer payload = {}) noexcept;
  // Whether nobody has taken a turn since the run has looked for input. Who is the first need not
  // wait for more that could travel with it: its reader may be waiting for just this.
  bool take_first_turn();
  // Has the context flush when no task is ready any more.
  void flush_later(std::shared_ptr<ContextCore> context) noexcept;

 private:
  // A task that the peer had us start.
  struct Served {
    explicit Served(trio::Time deadline) : scope(deadline) {}

    trio::CancelScope scope;
    // Its caller wanted that.
    bool cancelled_by_caller = false;
    // If it is a context's.
    std::shared_ptr<ContextCore> context = {};
  };

  void flush_all() noexcept;
  wire::Message receive_message(Buffer& payload);
  void dispatch(wire::Message message, Buffer payload);
  // Cancels the task of a call that we leave, and waits for its end.
  [[noreturn]] void abandon(Call& call, std::exception_ptr const& leaving, trio::Duration patience);
  // Has the task of a context that we leave cancelled, and waits for its end. Returns what is to be
  // thrown.
  std::exception_ptr abandon(ContextCore& context, std::exception_ptr const& leaving,
                             trio::Duration patience);
  // Waits for the end of a context, after its body, which has thrown `leaving` or nothing; throws
  // what is to be.
  void finish(ContextCore& context, std::exception_ptr leaving, trio::Time deadline,
              trio::Duration patience);
  // Where our own deadline has reached the callee a moment before us: it is ours to raise.
  static void await_own_deadline(std::exception_ptr const& error, trio::Time deadline);
  wire::Start begin(FunctionId const& function, Buffer const& arguments);
  // Null if it ended in good order.
  std::exception_ptr run_messages();
  void be_over(std::exception_ptr reason);

  void on(wire::Start start, Buffer arguments);
  void on(wire::Return answer, Buffer result);
  void on(wire::Error answer, Buffer);
  void on(wire::Started started, Buffer value);
  void on(wire::Cancel request, Buffer);
  void on(wire::CancelActor request, Buffer);
  void on(wire::Goodbye, Buffer);
  void on(wire::Farewell, Buffer);
  void on(wire::Hello, Buffer);
  void on(wire::Welcome, Buffer);
  void on(wire::Refusal, Buffer);
  void on(wire::Ping ping, Buffer);
  void on(wire::Pong pong, Buffer);

  // Those of a context.
  template <class Message> void on(Message message, Buffer payload);
  // The context of that number; null if it has ended. Throws DecodeError if there never was one.
  std::shared_ptr<ContextCore> find_context(std::uint64_t dialog);
  // Forgets one that has ended, or that nobody waits for any more.
  void forget(ContextCore const& context) noexcept;
  // Which of the two sides chose the number.
  bool is_ours(std::uint64_t dialog) const noexcept;

  // What becomes of the task of a dialog, as the message that ends it; empty if it has `result`.
  std::optional<wire::Error> outcome_of(std::uint64_t dialog, Entry const& entry, Served& served,
                                        Buffer arguments, Buffer& result);
  Cancellation cancellation_of(Served const& served) const;
  void run_task(std::uint64_t dialog, Entry const& entry, Served& served, Buffer arguments);
  // Throws DecodeError for a number that only our side may choose.
  void check_is_theirs(std::uint64_t dialog) const;
  std::string const& name_of(Entry const& entry);
  // `signatures`: boxed, where they differ.
  void refuse(std::uint64_t dialog, wire::RefusedBecause because, std::string sentence,
              std::string signatures = {});
  std::shared_ptr<Call> take_call(std::uint64_t dialog);

  // Only while the link lives: portals may outlive the actor.
  LocalActor& actor_;
  ActorId const self_;
  Side const side_;
  std::unique_ptr<ipc::Link> link_;
  ActorId id_;
  bool same_build_ = false;
  trio::Event ready_;
  trio::Event over_;
  trio::Event ending_;
  trio::Event farewell_;
  std::exception_ptr failure_;
  int goodbyes_ = 0;
  std::uint64_t pings_ = 0;
  // Of who waits for an answer.
  std::shared_ptr<trio::Event> pong_;
  // What the data lane brought before the control lane's Welcome.
  std::deque<std::pair<wire::Message, Buffer>> early_;
  // Of a request_cancel that came before the handshake was done.
  std::optional<std::string> cancel_asked_;

  std::uint64_t next_dialog_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Call>> calls_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Served>> tasks_;
  // Of both sides' making; how many are ours.
  std::unordered_map<std::uint64_t, std::shared_ptr<ContextCore>> contexts_;
  std::size_t opened_contexts_ = 0;
  // How often the run had looked when the first turn was taken.
  std::uint64_t first_turn_at_ = 0;
  Flusher flusher_;
  // Those that are to flush.
  std::vector<std::shared_ptr<ContextCore>> unflushed_;
  // The readable names of functions that were called: making one takes longer than a call.
  std::unordered_map<Entry const*, std::string> names_;
  // The newest dialog that the peer began; and those it cancelled by the control lane before the
  // data lane brought their Start.
  std::uint64_t newest_start_ = 0;
  std::set<std::uint64_t> cancelled_before_start_;
};

}  // namespace runtime
}  // namespace tractor
