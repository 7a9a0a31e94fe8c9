// SPDX-License-Identifier: BSL-1.0
// Programs as parts of a nursery: their output line by line, their failure as an error with their
// last words, a talk with one, and the end of one that would run for ever.
#include <trio/trio.hpp>

#include <chrono>
#include <string>
#include <string_view>

#include <fmt/core.h>

using namespace std::chrono_literals;

void capture() {
  auto const sorted =
      trio::run_process({"sort"}, {.input = "pear\napple\nfig\n", .capture_output = true});
  fmt::print("sorted:\n{}", sorted.output);
}

void fail() {
  try {
    trio::run_process({"sh", "-c", "echo 'the disk is full' >&2; exit 3"});
  } catch (trio::ProcessError const& error) {
    fmt::print("{}", error.what());
  }
}

void talk() {
  auto process = trio::open_process({"sed", "-u", "s/^/you said: /"},
                                    {.input = trio::Stdio::pipe, .output = trio::Stdio::pipe});
  trio::BufferedReader answers(process.output());
  for (char const* line : {"hello", "goodbye"}) {
    process.input().send_all(std::string(line) + "\n");
    fmt::print("{}\n", answers.receive_line().value());
  }
  process.input().close();
  fmt::print("sed {}\n", describe(process.wait()));
}

void run_for_a_while() {
  int lines = 0;
  auto const outcome = trio::move_on_after(100ms, [&] {
    trio::run_process({"yes"}, {.on_output_line = [&](std::string_view) { ++lines; }});
  });
  fmt::print("yes was {} after {} lines\n", outcome.cut_short ? "cut short" : "done",
             lines > 100 ? "many" : "few");
}

int main() {
  trio::run([] {
    capture();
    fail();
    talk();
    run_for_a_while();
  });
}
