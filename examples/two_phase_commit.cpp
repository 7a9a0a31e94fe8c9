// SPDX-License-Identifier: BSL-1.0
// A two-phase commit, with a session type: who has voted to commit must hear the decision, and a
// coordinator that fails in between leaves no participant in doubt.
#include <tractor/tractor.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

using namespace tractor;

struct Order {
  int amount = 0;

  template <class Archive> void serialize(Archive& archive) { archive(amount); }
};

struct Refused {
  std::string why = {};

  template <class Archive> void serialize(Archive& archive) { archive(why); }
};

struct Committed {
  int balance = 0;

  template <class Archive> void serialize(Archive& archive) { archive(balance); }
};

struct Word {
  template <class Archive> void serialize(Archive&) {}
};

struct Ready : Word {};

struct Commit : Word {};

struct Rollback : Word {};

struct Decision : Protocol<CallerChooses<Case<Commit, ToCaller<Committed>>, Case<Rollback>>> {};

struct Transfer : Protocol<ToCallee<Order>, CalleeChooses<Case<Refused>, Case<Ready, Decision>>> {};

// ----------------------------------------------------------------------- in each participant

int balance = 0;
int reserved = 0;

void deposit(int amount) { balance += amount; }

int available() { return balance - reserved; }

// Given back on every way out.
class Reservation {
 public:
  explicit Reservation(int amount) : amount_(amount) { reserved += amount; }

  Reservation(Reservation const&) = delete;

  ~Reservation() { reserved -= amount_; }

 private:
  int amount_;
};

Finished<Transfer> take_part(CalleeDialog<Transfer> dialog) {
  auto [order, vote] = std::move(dialog).receive();
  if (order.amount > available())
    return std::move(vote).send(Refused{fmt::format("has only {}", available())}).finish();
  Reservation const reservation(order.amount);
  return std::move(vote).send(Ready{}).receive(
      [amount = order.amount](Commit, auto rest) {
        balance -= amount;
        return std::move(rest).send(Committed{balance}).finish();
      },
      [](Rollback, auto rest) { return std::move(rest).finish(); });
}

// --------------------------------------------------------------------------- the coordinator

// What the participants have voted; all of them must have before one is told.
class Ballot {
 public:
  explicit Ballot(std::size_t voters) : missing_(voters) {}

  void cast(bool ready) {
    passed_ = passed_ && ready;
    if (--missing_ == 0) complete_.set();
  }

  bool has_passed() {
    complete_.wait();
    return passed_;
  }

 private:
  std::size_t missing_;
  bool passed_ = true;
  trio::Event complete_;
};

std::string ask(Portal const& participant, int amount, Ballot& ballot) {
  return participant.open_dialog<take_part>([&](auto dialog) {
    return std::move(dialog).send({amount}).receive(
        [&](Refused refused, auto rest) {
          ballot.cast(false);
          return std::move(rest).finish(refused.why);
        },
        [&](Ready, auto decision) {
          ballot.cast(true);
          if (!ballot.has_passed())
            return std::move(decision).send(Rollback{}).finish(std::string("rolled back"));
          auto [committed, rest] = std::move(decision).send(Commit{}).receive();
          return std::move(rest).finish(fmt::format("{} left", committed.balance));
        });
  });
}

void transfer(std::vector<Portal> const& participants, int amount) {
  Ballot ballot(participants.size());
  std::vector<std::string> outcomes(participants.size());
  trio::open_nursery([&](trio::Nursery& nursery) {
    for (std::size_t i = 0; i < participants.size(); ++i)
      nursery.start_soon([&, i] { outcomes[i] = ask(participants[i], amount, ballot); });
  });
  fmt::print("{} of each: {}\n", amount, fmt::join(outcomes, ", "));
}

void fail_in_between(Portal const& participant) {
  try {
    participant.open_dialog<take_part>([&](auto dialog) -> Finished<Transfer> {
      return std::move(dialog).send({20}).receive(
          [](Refused, auto rest) { return std::move(rest).finish(); },
          [&](Ready, auto) -> Finished<Transfer> {
            fmt::print("it has {} to spare while it waits\n", participant.run<available>());
            throw std::runtime_error("the coordinator has failed");
          });
    });
  } catch (std::runtime_error const& error) {
    fmt::print("{}: {} to spare\n", error.what(), participant.run<available>());
  }
}

void amain() {
  open_nursery([](ActorNursery& nursery) {
    std::vector<Portal> participants;
    for (int const amount : {200, 100, 90}) {
      participants.push_back(
          nursery.start_actor("participant", expose<take_part, deposit, available>));
      participants.back().run<deposit>(amount);
    }
    transfer(participants, 70);
    transfer(participants, 30);
    fail_in_between(participants.front());
    for (Portal const& participant : participants) participant.cancel_actor();
  });
}

int main() { return run(amain); }
