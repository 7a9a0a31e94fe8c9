// SPDX-License-Identifier: BSL-1.0
// What becomes of a whole tree when something happens to one of its actors, or somebody asks it to
// end: seen from outside, as a program. S and a number stand for the project's list of scenarios, F
// and a number for its table of faults.
#include "program.hpp"
#include "support.hpp"

#include <chrono>
#include <regex>
#include <string>
#include <vector>

#include <signal.h>
#include <unistd.h>

using namespace std::chrono_literals;
using support::bound_here;
using support::Doomed;
using support::Program;
using support::Streams;

namespace {

using Clock = std::chrono::steady_clock;

// The rest of what the program and all that it has started write, once they have ended.
std::vector<std::string> rest_of(Program& program) {
  std::vector<std::string> lines;
  while (auto const line = program.read_line()) lines.push_back(*line);
  return lines;
}

std::size_t count(std::vector<std::string> const& lines, std::string const& text) {
  std::size_t found = 0;
  for (auto const& line : lines) found += line.find(text) != std::string::npos;
  return found;
}

// Of actors in a tree, whose names begin with `name` and end with their tree, those whose parent is
// `parent`.
std::vector<std::string> children_of(std::string const& parent, std::string const& name,
                                     std::string const& tree) {
  std::vector<std::string> pids;
  for (auto const& actor : support::living_actors(tree))
    if (actor.find(name + "@") != std::string::npos && support::parent_of(actor) == parent)
      pids.push_back(actor.substr(0, actor.find(' ')));
  return pids;
}

// A root, with one below it, with eight below that, with one below each.
struct Tree {
  Program program{"tree", {"idle", "1", "8", "1"}, Streams::errors_read};
  std::string const id = program.read("tree ", 1).front();
  std::vector<std::string> const pids = program.read("pid ", 18);
  std::string const root = std::to_string(program.pid());
  std::string const middle = children_of(root, "node0", id).at(0);

  // Sends a signal to the middle, and checks that all but the root are gone in time.
  void tell_middle(int signal, std::chrono::milliseconds bound) const {
    auto others = pids;
    std::erase(others, root);
    Doomed const doomed(others);
    kill(std::stoi(middle), signal);
    CHECK(doomed.alive_after(bound) == 0);
  }
};

}  // namespace

TEST_CASE("F2: the root learns that one in the middle of its tree was killed, and prints it") {
  Tree tree;
  tree.tell_middle(SIGKILL, bound_here(250ms));
  auto const lines = rest_of(tree.program);
  CHECK(tree.program.wait() == 1);
  CHECK(count(lines, "ended with an error, in an exception group") == 1);
  CHECK(count(lines, "actor node0 (pid " + tree.middle + ") died: killed by signal 9") == 1);
}

namespace {

void check_ends_below(int signal, std::string const& name) {
  Tree tree;
  tree.tell_middle(signal, bound_here(1s));
  auto const lines = rest_of(tree.program);
  CHECK(tree.program.wait() == 1);
  // The root's body too, as an actor of its nursery has failed.
  CHECK(count(lines, "cleaned up") == 18);
  CHECK(count(lines, "cancelled itself: a signal interrupted it: " + name) == 1);
  CHECK(count(lines, "thrown in actor node0 (pid " + tree.middle + ")") == 1);
}

}  // namespace

TEST_CASE(
    "S3: SIGTERM to one in the middle ends what is below it, with its clean-up, and is told") {
  check_ends_below(SIGTERM, "SIGTERM");
}

TEST_CASE("SIGINT to one in the middle alone does the same") { check_ends_below(SIGINT, "SIGINT"); }

namespace {

// Kills the root of a tree of two that live in `mode`, while the warden, who would see to them
// next, stands still.
void kill_root_without_warden(std::string const& mode) {
  CAPTURE(mode);
  Program program("tree", {mode, "2"});
  std::string const tree = program.read("tree ", 1).front();
  // It, and what keeps it company, is none of those that are to end.
  std::string holder;
  if (mode == "held") holder = program.read("holder ", 1).front();
  auto others = program.read("pid ", 3);
  std::string const root = std::to_string(program.pid());
  std::erase(others, root);
  auto const wardens = children_of(root, "_tractor_warden[", tree);
  REQUIRE(wardens.size() == 1);
  kill(std::stoi(wardens.front()), SIGSTOP);
  Doomed const doomed(others);
  program.signal(SIGKILL);
  CHECK(doomed.alive_after(bound_here(250ms)) == 0);
  kill(std::stoi(wardens.front()), SIGCONT);
  if (!holder.empty()) kill(std::stoi(holder), SIGKILL);
}

}  // namespace

TEST_CASE("F3: actors end with their root, whether or not there is a warden to see to it") {
  for (auto const* mode : {"idle", "busy", "stopped", "setsid"}) kill_root_without_warden(mode);
}

TEST_CASE("F3: they do so by their lifeline alone, if the kernel is not to signal the death") {
  kill_root_without_warden("deaf");
}

TEST_CASE("F3: and by that signal alone, if somebody holds the other end of their lifeline") {
  kill_root_without_warden("held");
}

TEST_CASE("S15: an error at the bottom of a deep tree takes it down without waiting on any clock") {
  Program program("tree", {"idle", "2", "1", "1", "2"});
  std::string const tree = program.read("tree ", 1).front();
  std::string const root = std::to_string(program.pid());
  // 2, 2, 2 and 4.
  auto others = program.read("pid ", 11);
  std::erase(others, root);
  Doomed const doomed(others);
  std::string victim = root;
  for (auto const* name : {"node1", "node0", "node0", "node1"})
    victim = children_of(victim, name, tree).at(0);
  kill(std::stoi(victim), SIGKILL);
  // The shortest clock of all takes 500 ms.
  CHECK(doomed.alive_after(bound_here(400ms)) == 0);
  CHECK(program.wait() == 1);
}

TEST_CASE("F3: SIGINT ends a tree whose actors are children of a task beside the body") {
  Program program("tree", {"side_task", "3"});
  program.read("pid ", 4);
  auto const start = Clock::now();
  program.signal(SIGINT);
  // Those of the three and that of the task.
  CHECK(program.read("cleaned up", 4).size() == 4);
  CHECK(program.wait() == 128 + SIGINT);
  CHECK(Clock::now() - start <= bound_here(2s));
}

TEST_CASE("F6: one SIGINT ends a stubborn tree too, by force, when its bounds have passed") {
  Program program("tree", {"stubborn", "2"}, Streams::errors_read);
  Program another("tree", {"stubborn", "1"}, Streams::errors_read);
  program.read("pid ", 3);
  another.read("pid ", 2);
  auto const start = Clock::now();
  program.signal(SIGINT);
  // A second SIGTERM is no more than the first.
  another.signal(SIGTERM);
  another.read("will not end", 1);
  another.signal(SIGTERM);
  auto const lines = rest_of(program);
  CHECK(program.wait() == 128 + SIGINT);
  CHECK(count(rest_of(another), "sending SIGKILL") == 1);
  CHECK(another.wait() == 128 + SIGTERM);
  // ActorOptions::cancel_timeout and terminate_timeout.
  CHECK(Clock::now() - start >= 4s);
  CHECK(Clock::now() - start <= bound_here(5s));
  CHECK(count(lines, "will not end") == 2);
  CHECK(count(lines, "sending SIGTERM") == 2);
  CHECK(count(lines, "sending SIGKILL") == 2);
}

TEST_CASE(
    "an actor prints the task tree of itself and of those below it, and since when each waits") {
  Program program("tree", {"prints"}, Streams::errors_read);
  std::vector<std::string> lines;
  auto const has = [&](char const* pattern) {
    std::regex const wanted(pattern);
    for (auto const& line : lines)
      if (std::regex_search(line, wanted)) return true;
    return false;
  };
  // One below whom there is nobody comes last; its service is all that it has.
  while (!has("at depth 2:") || !has("reading from .*parked for [0-9]+\\.[0-9]+ s")) {
    auto const line = program.read_line();
    REQUIRE(line);
    lines.push_back(*line);
  }
  CHECK(has("Tasks of actor print_from_here .*at depth 1:"));
  CHECK_FALSE(has("at depth 0:"));
  CHECK(has("parked for [0-9]+\\.[0-9]+ s in trio::"));
  CHECK(has("print_from_here"));
  program.signal(SIGINT);
  CHECK(program.wait() == 128 + SIGINT);
}
