// SPDX-License-Identifier: BSL-1.0
// tree MODE WIDTH...: a tree of actors with so many children on each level, which say "pid N" each
// and live until they are ended. MODE is what the last level does meanwhile:
//   idle, busy, stopped, setsid; helper, daemon: start a plain program, the latter out of the way
//   root_helper: it is the root that starts a plain program
//   deaf: as busy, and has the kernel send it no signal when its parent ends
//   held: as busy, and a copy of the root, "holder N", has the root's descriptors
//   loud: writes a lot to standard error first
//   stubborn: says so, and takes for ever to clean up
// In three modes it is a tree of another kind:
//   side_task: the actors are children of a task beside the body, all at one level
//   prints: the middle one of three, one above the other, prints the task tree
//   group: one actor, which SIGTERM ends before the root, to which it comes as well, is told of its
//   own
// Everybody says "cleaned up" when it is told to end.
#include <tractor/tractor.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

// One write a line: several processes say something at once.
void say(std::string const& line) {
  if (write(STDOUT_FILENO, (line + "\n").data(), line.size() + 1) < 0) abort();
}

void start_helper(bool out_of_the_way) {
  pid_t const pid = fork();
  if (pid == 0) {
    if (out_of_the_way) {
      setsid();
      if (fork() != 0) _exit(0);
    }
    say(fmt::format("pid {}", getpid()));
    execlp("sleep", "sleep", "1000", nullptr);
    _exit(127);
  }
}

[[noreturn]] void compute_for_ever() {
  for (std::atomic<int> i = 0;; ++i) {}
}

void live(std::string const& mode) {
  if (mode == "setsid") setsid();
  if (mode == "deaf") prctl(PR_SET_PDEATHSIG, 0);
  if (mode == "loud")
    for (int i = 0; i < 100'000; ++i) std::fprintf(stderr, "line %d of very many lines\n", i);
  if (mode == "helper" || mode == "daemon") start_helper(mode == "daemon");
  say(fmt::format("pid {}", getpid()));
  if (mode == "busy" || mode == "deaf" || mode == "held") compute_for_ever();
  if (mode == "stopped") raise(SIGSTOP);
  try {
    trio::sleep_forever();
  } catch (trio::Cancelled const&) {
    if (mode == "stubborn") {
      say("will not end");
      trio::shielded([] { trio::sleep_forever(); });
    }
    say("cleaned up");
    throw;
  }
}

void start_holder() {
  pid_t const pid = fork();
  if (pid != 0) return say(fmt::format("holder {}", pid));
  for (;;) pause();
}

void grow(std::string const& mode, std::vector<int> widths) {
  if (widths.empty()) return live(mode);
  int const width = widths.front();
  widths.erase(widths.begin());
  tractor::open_nursery([&](tractor::ActorNursery& nursery) {
    for (int i = 0; i < width; ++i)
      nursery.run_in_actor<grow>({.name = fmt::format("node{}", i)}, mode, widths);
    if (mode == "held") start_holder();
    live("idle");
  });
}

void grow_in_side_task(std::vector<int> const& widths) {
  trio::open_nursery([&](trio::Nursery& tasks) {
    tasks.start_soon([&] { grow("idle", widths); });
    trio::sleep_forever();
  });
}

void print_from_here() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    nursery.start_actor("below", tractor::expose<live>);
    tractor::print_task_tree();
    trio::sleep_forever();
  });
}

void print_from_the_middle() {
  tractor::open_nursery(
      [](tractor::ActorNursery& nursery) { nursery.run_in_actor<print_from_here>(); });
}

struct Nothing {};

void ends_by_a_signal(tractor::Context<Nothing>&) {
  raise(SIGTERM);
  trio::sleep_forever();
}

void hear_of_a_signal_first() {
  tractor::open_nursery([](tractor::ActorNursery& nursery) {
    auto const actor = nursery.start_actor("first", tractor::expose<ends_by_a_signal>);
    try {
      actor.open_context<ends_by_a_signal>([](auto& ctx) { ctx.result(); });
    } catch (tractor::ContextCancelled const&) {
      raise(SIGTERM);
      throw;
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  return tractor::run([&] {
    std::vector<int> widths;
    for (int i = 2; i < argc; ++i) widths.push_back(std::atoi(argv[i]));
    say("tree " + tractor::current_actor().tree_id());
    std::string const mode = argv[1];
    if (mode == "root_helper") start_helper(false);
    if (mode == "side_task") return grow_in_side_task(widths);
    if (mode == "prints") return print_from_the_middle();
    if (mode == "group") return hear_of_a_signal_first();
    grow(mode, widths);
  });
}
