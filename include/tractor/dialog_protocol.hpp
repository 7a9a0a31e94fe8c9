// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/detail/type_name.hpp>
#include <tractor/function.hpp>
#include <tractor/schema.hpp>
#include <tractor/serialisable.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

// Protocols as types: who may say what next, from the first message of a dialog to its end.
//
//   struct Commands : Protocol<CallerChooses<Case<Get, ToCaller<Value>, Commands>,
//                                            Case<Put, Commands>, Case<Quit>>> {};
//   struct Login : Protocol<ToCallee<Credentials>,
//                           CalleeChooses<Case<Denied>, Case<Granted, Commands>>> {};
//
// Directions are absolute, so one description serves both sides. A choice is made by sending the
// message of one of its cases. A protocol named as the last step means: go on as that one, which
// may be the one it is named in. At each step it is one side's turn to send.
namespace tractor {

// The two sides of a dialog: the one that opened it, and the function that was called.
enum class Role : std::uint8_t { caller, callee };

// A step: a message from the caller to the callee.
template <class Message> struct ToCallee {};

// A step: a message from the callee to the caller.
template <class Message> struct ToCaller {};

// One way to go on at a choice: `Message` selects it, the steps `Then` follow.
template <class Message, class... Then> struct Case {};

// The last step of a list: one side selects a case by sending its message.
template <class... Cases> struct CallerChooses {};

template <class... Cases> struct CalleeChooses {};

// A list of steps, to be derived from by a struct that gives it a name.
template <class... Steps> struct Protocol {};

// ------------------------------------------------------------------------------- the automaton

// A protocol as a machine: what the receiver checks each message against, as its sender may be of
// another build. State 0 is the beginning.
struct Automaton {
  // A kind of message. Its place among all is its number on the wire.
  struct Message {
    std::string (*name)();
    void (*describe)(SchemaArchive& schema);
  };

  struct Edge {
    std::uint8_t message;
    std::uint16_t next;
  };

  struct State {
    Role sender;
    // What the sender may send; none at the end.
    std::span<Edge const> edges;

    constexpr bool is_end() const noexcept { return edges.empty(); }
  };

  std::string (*name)();
  std::span<Message const> messages;
  std::span<State const> states;

  // What happens in `state`, for people: "the callee sends Denied or Granted", "the end".
  std::string describe(std::size_t state) const;

  // All of it, for signatures. Equal text: equal messages in equal order, under equal numbers.
  std::string text() const;
};

// ------------------------------------------------------- from a description to its automaton

namespace detail {

// What is left of a dialog: the steps to come.
template <class... Steps> struct Position {};

// Instead of a position: of a protocol that names itself without a message in between.
template <class P> struct NeverSpeaks {};

template <class... Steps> Position<Steps...> steps_of(Protocol<Steps...> const*);

template <class P> concept NamedProtocol =
    std::is_class_v<P> && requires { steps_of(static_cast<P const*>(nullptr)); };

// The position, with the name of a protocol replaced by its steps.
template <class Here, class... Passed> struct Unfold {
  using type = Here;
};

template <NamedProtocol P, class... Passed> struct Unfold<Position<P>, Passed...> {
  using type =
      typename Unfold<decltype(steps_of(static_cast<P const*>(nullptr))), Passed..., P>::type;
};

template <NamedProtocol P, class... Passed>
  requires(std::is_same_v<P, Passed> || ...)

struct Unfold<Position<P>, Passed...> {
  using type = NeverSpeaks<P>;
};

template <class... Steps> using unfold_t = typename Unfold<Position<Steps...>>::type;

// What is wrong with a protocol.
enum class ProtocolFlaw {
  none,
  never_speaks,
  not_a_step,
  not_last,
  cases,
  repeated_case,
  message,
  too_many_messages,
  endless,
};

// A message that may be sent, and where the dialog goes on then: as written, and unfolded.
template <class M, class... Then> struct Move {
  using message = M;
  using then = Position<Then...>;
  using next = unfold_t<Then...>;
};

template <class C> struct MoveOf {};

template <class M, class... Then> struct MoveOf<Case<M, Then...>> {
  using type = Move<M, Then...>;
};

template <class C> inline constexpr bool is_case = false;
template <class M, class... Then> inline constexpr bool is_case<Case<M, Then...>> = true;

template <class T, class... Among> inline constexpr std::size_t occurrences =
    (std::size_t{0} + ... + std::size_t{std::is_same_v<T, Among>});

template <class... W> consteval bool all_different(Types<W...>) {
  return ((occurrences<typename W::message, typename W::message...> == 1) && ...);
}

// Where nothing can be done.
template <ProtocolFlaw Flaw = ProtocolFlaw::none> struct NoTurn {
  static constexpr ProtocolFlaw flaw = Flaw;
  static constexpr bool is_choice = false;
  // Nobody's turn.
  static constexpr Role sender = Role::caller;
  using moves = Types<>;
};

template <Role Sender, bool IsChoice, class... Moves> struct Turn {
  static constexpr ProtocolFlaw flaw =
      all_different(Types<Moves...>()) ? ProtocolFlaw::none : ProtocolFlaw::repeated_case;
  static constexpr bool is_choice = IsChoice;
  static constexpr Role sender = Sender;
  using moves = Types<Moves...>;
};

template <Role Sender, class... Cases> struct Choice : NoTurn<ProtocolFlaw::cases> {};

template <Role Sender, class C, class... Cases>
  requires(is_case<C> && (is_case<Cases> && ...))

struct Choice<Sender, C, Cases...>
    : Turn<Sender, true, typename MoveOf<C>::type, typename MoveOf<Cases>::type...> {};

// What may be done at a position that is unfolded.
template <class Here> struct Place;

template <> struct Place<Position<>> : NoTurn<> {};

template <class P> struct Place<NeverSpeaks<P>> : NoTurn<ProtocolFlaw::never_speaks> {};

template <class First, class... Rest> struct Place<Position<First, Rest...>>
    : NoTurn<NamedProtocol<First> ? ProtocolFlaw::not_last : ProtocolFlaw::not_a_step> {};

template <class M, class... Rest> struct Place<Position<ToCallee<M>, Rest...>>
    : Turn<Role::caller, false, Move<M, Rest...>> {};

template <class M, class... Rest> struct Place<Position<ToCaller<M>, Rest...>>
    : Turn<Role::callee, false, Move<M, Rest...>> {};

template <class... Cases> struct Place<Position<CallerChooses<Cases...>>>
    : Choice<Role::caller, Cases...> {};

template <class... Cases> struct Place<Position<CalleeChooses<Cases...>>>
    : Choice<Role::callee, Cases...> {};

template <class... Cases, class Next, class... Rest>
struct Place<Position<CallerChooses<Cases...>, Next, Rest...>> : NoTurn<ProtocolFlaw::not_last> {};

template <class... Cases, class Next, class... Rest>
struct Place<Position<CalleeChooses<Cases...>, Next, Rest...>> : NoTurn<ProtocolFlaw::not_last> {};

template <class T, class List> struct AddOnce;

template <class T, class... Known> struct AddOnce<T, Types<Known...>> {
  using type =
      std::conditional_t<occurrences<T, Known...> == 0, Types<Known..., T>, Types<Known...>>;
};

// Every position that can be reached: the states, in the order in which one reads them.
template <class Todo, class Known> struct Reach;

template <class... Known> struct Reach<Types<>, Types<Known...>> {
  using type = Types<Known...>;
};

template <class Here, class... More, class... Known>
struct Reach<Types<Here, More...>, Types<Known...>> {
  template <class... W> static Types<typename W::next..., More...> then(Types<W...>);

  using type =
      typename Reach<decltype(then(typename Place<Here>::moves())), Types<Known..., Here>>::type;
};

template <class Here, class... More, class... Known>
  requires(occurrences<Here, Known...> > 0)

struct Reach<Types<Here, More...>, Types<Known...>> : Reach<Types<More...>, Types<Known...>> {};

template <class P> using states_of = typename Reach<Types<unfold_t<P>>, Types<>>::type;

// Every kind of message in these moves, each once.
template <class Moves, class Known> struct Messages;

template <class... Known> struct Messages<Types<>, Types<Known...>> {
  using type = Types<Known...>;
};

template <class W, class... More, class... Known>
struct Messages<Types<W, More...>, Types<Known...>>
    : Messages<Types<More...>, typename AddOnce<typename W::message, Types<Known...>>::type> {};

template <class... Lists> struct Joined {
  using type = Types<>;
};

template <class... A> struct Joined<Types<A...>> {
  using type = Types<A...>;
};

template <class... A, class... B, class... More> struct Joined<Types<A...>, Types<B...>, More...>
    : Joined<Types<A..., B...>, More...> {};

template <class... States>
typename Joined<typename Place<States>::moves...>::type all_moves(Types<States...>);

template <class P> using messages_of =
    typename Messages<decltype(all_moves(states_of<P>())), Types<>>::type;

// The place of a T in a list that has it.
template <class T, class... A> consteval std::size_t index_in(Types<A...>) {
  std::size_t index = 0;
  (void)((!std::is_same_v<T, A> && ++index) && ...);
  return index;
}

template <class P, class M> inline constexpr std::uint8_t message_number =
    static_cast<std::uint8_t>(index_in<M>(messages_of<P>()));

template <class P, class... W>
consteval std::array<Automaton::Edge, sizeof...(W)> edges_of(Types<W...>) {
  return {
      Automaton::Edge{message_number<P, typename W::message>,
                      static_cast<std::uint16_t>(index_in<typename W::next>(states_of<P>()))}...};
}

template <class P, class Here> inline constexpr auto edges_at =
    edges_of<P>(typename Place<Here>::moves());

template <class T> std::string name_of() { return type_name(typeid(T)); }

template <class M> void describe_kind(SchemaArchive& schema) { schema.describe<M>(); }

template <class P, class... States>
consteval std::array<Automaton::State, sizeof...(States)> make_states(Types<States...>) {
  return {Automaton::State{Place<States>::sender, edges_at<P, States>}...};
}

template <class... M>
consteval std::array<Automaton::Message, sizeof...(M)> make_messages(Types<M...>) {
  return {Automaton::Message{&name_of<M>, &describe_kind<M>}...};
}

template <class P> inline constexpr auto states_table = make_states<P>(states_of<P>());
template <class P> inline constexpr auto messages_table = make_messages(messages_of<P>());

// The first state from which the end cannot be reached; their number if there is none.
template <class P> consteval std::size_t first_endless_state() {
  auto const& states = states_table<P>;
  std::array<bool, states_table<P>.size()> ends{};
  for (std::size_t round = 0; round < ends.size(); ++round) {
    for (std::size_t i = 0; i < ends.size(); ++i) {
      ends[i] = ends[i] || states[i].is_end();
      for (auto const& edge : states[i].edges) ends[i] = ends[i] || ends[edge.next];
    }
  }
  std::size_t first = 0;
  while (first < ends.size() && ends[first]) ++first;
  return first;
}

template <class... States> consteval std::size_t first_bad_place(Types<States...>) {
  std::size_t index = 0;
  (void)((Place<States>::flaw == ProtocolFlaw::none && ++index) && ...);
  return index;
}

template <class... M> consteval std::size_t first_bad_message(Types<M...>) {
  std::size_t index = 0;
  (void)((obstacle<M>() == Obstacle::none && ++index) && ...);
  return index;
}

// Instantiated only to speak; see function.hpp. `Here` is where it is wrong.
template <class P, class Here, ProtocolFlaw Why> struct dialog_protocol {
  static constexpr bool speaks = Why != ProtocolFlaw::never_speaks;
  static_assert(speaks,
                "tractor: this protocol comes back to its own name without a message in between: "
                "put one before it");
  static constexpr bool a_step = Why != ProtocolFlaw::not_a_step;
  static_assert(a_step,
                "tractor: this is no step of a protocol: a step is ToCallee<Message>, "
                "ToCaller<Message>, CallerChooses<Cases...>, CalleeChooses<Cases...>, or a struct "
                "derived from Protocol<Steps...>, which must be defined before the first use");
  static constexpr bool last = Why != ProtocolFlaw::not_last;
  static_assert(last,
                "tractor: no step can follow a choice or the name of a protocol: put it at the end "
                "of each case, or of that protocol");
  static constexpr bool cases = Why != ProtocolFlaw::cases;
  static_assert(cases, "tractor: a choice consists of one Case<Message, Steps...> or more");
  static constexpr bool different = Why != ProtocolFlaw::repeated_case;
  static_assert(different,
                "tractor: two cases of this choice have the same message: nobody could tell which "
                "was chosen");
  static constexpr bool few_messages = Why != ProtocolFlaw::too_many_messages;
  static_assert(few_messages, "tractor: a protocol can have 256 kinds of messages at the most");
  static constexpr bool ends = Why != ProtocolFlaw::endless;
  static_assert(
      ends,
      "tractor: this protocol can never end once it comes here: give its loop a case that "
      "leaves it");
};

// What speaks of P; std::type_identity<void> if it is well.
template <class P> consteval auto dialog_flaw() {
  using States = states_of<P>;
  using Messages = messages_of<P>;
  if constexpr (constexpr std::size_t bad = first_bad_place(States()); bad != States::size) {
    using Bad = typename States::template at<bad>;
    return std::type_identity<dialog_protocol<P, Bad, Place<Bad>::flaw>>();
  } else if constexpr (constexpr std::size_t no = first_bad_message(Messages());
                       no != Messages::size) {
    using Bad = typename Messages::template at<no>;
    return std::type_identity<travels<Bad, obstacle<Bad>()>>();
  } else if constexpr (Messages::size > 256) {
    return std::type_identity<dialog_protocol<P, void, ProtocolFlaw::too_many_messages>>();
  } else if constexpr (constexpr std::size_t endless = first_endless_state<P>();
                       endless != States::size) {
    using Endless = typename States::template at<endless>;
    return std::type_identity<dialog_protocol<P, Endless, ProtocolFlaw::endless>>();
  } else {
    return std::type_identity<void>();
  }
}

template <class P> using dialog_error = typename decltype(dialog_flaw<P>())::type;

// Whether P can be spoken. If not, the one error is the size of dialog_error<P>.
template <class P> inline constexpr bool dialog_ok = std::is_void_v<dialog_error<P>>;

}  // namespace detail

// The automaton of protocol P. It must be well-formed: what is not does not compile, with one
// sentence.
template <class P> inline constexpr Automaton automaton_of{
    &detail::name_of<P>, detail::messages_table<P>, detail::states_table<P>};

}  // namespace tractor
