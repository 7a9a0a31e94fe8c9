// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "../sanitized.hpp"

#include <tractor/tractor.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

namespace support {

// The processes of the actor tree `tree_id` that live, zombies included, as "pid command line".
std::vector<std::string> living_actors(std::string const& tree_id);
// The pid of the parent of one of them.
std::string parent_of(std::string const& actor);
// Directories for sockets that the process `pid` has made and that still lie about.
std::vector<std::string> directories_of(pid_t pid);
// How many descriptors this process has open.
std::size_t open_descriptors();

// How many bytes of memory this process has.
std::size_t resident();

// How many programs want to run, for each core: now, or in the last minute; from 1 to 4.
int crowding();

// How much longer than in others processes take to begin and to end in sanitizers.
inline constexpr int process_slowness = sanitized ? 4 : 1;

// A bound of a machine that does nothing else, as it is here and now.
inline std::chrono::milliseconds bound_here(std::chrono::milliseconds quiet) {
  return quiet * process_slowness * crowding();
}

// A process that stands still as long as this lives.
class Stopped {
 public:
  explicit Stopped(pid_t pid) : pid_(pid) { kill(pid_, SIGSTOP); }

  Stopped(Stopped const&) = delete;
  Stopped& operator=(Stopped const&) = delete;

  ~Stopped() { kill(pid_, SIGCONT); }

 private:
  pid_t const pid_;
};

// The path of a test program that was built beside this one.
std::string program(std::string const& name);

// Runs `body` as the root of a tree in a run of its own, and checks that nothing of the tree is
// left afterwards: no process, no zombie, no directory, no descriptor.
template <class Body> auto in_root(tractor::RootOptions const& options, Body&& body) {
  using Result = std::invoke_result_t<Body&>;
  std::string tree_id;
  std::size_t const descriptors = open_descriptors();
  std::exception_ptr error;
  std::optional<std::conditional_t<std::is_void_v<Result>, bool, Result>> result;
  try {
    trio::run([&] {
      tractor::open_root_actor(options, [&] {
        tree_id = tractor::current_actor().tree_id();
        if constexpr (std::is_void_v<Result>)
          body();
        else
          result.emplace(body());
      });
    });
  } catch (...) {
    error = std::current_exception();
  }
  CHECK(living_actors(tree_id) == std::vector<std::string>());
  CHECK(directories_of(getpid()) == std::vector<std::string>());
  CHECK(open_descriptors() == descriptors);
  if (error) std::rethrow_exception(error);
  if constexpr (!std::is_void_v<Result>) return std::move(*result);
}

template <class Body> auto in_root(Body&& body) {
  return in_root(tractor::RootOptions{}, std::forward<Body>(body));
}

// Runs `body` with a daemon that exposes `exposed`, and checks that no call or context is left
// over.
template <class Body> void with_daemon(tractor::Exposed exposed, Body body) {
  in_root([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto daemon = nursery.start_actor("daemon", exposed);
      body(daemon);
      CHECK(daemon.open_calls() == 0);
      daemon.cancel_actor();
    });
  });
}

// Runs `body` and returns what it returns; fails the test case if it takes longer than `bound`,
// which is meant for an unloaded machine without sanitizers. It must leave out what waits on some
// clock of ours that it should not wait for.
template <class Body> decltype(auto) in_time(std::chrono::milliseconds bound, Body&& body) {
  struct Watch {
    std::chrono::milliseconds const bound;
    std::chrono::steady_clock::time_point const start = std::chrono::steady_clock::now();

    ~Watch() {
      CHECK(std::chrono::steady_clock::now() - start <=
            bound * (sanitized || under_tsan ? 4 : 1) * slowness() * crowding());
    }
  } const watch{bound};

  return body();
}

// What `body` throws; null if nothing.
template <class Body> std::exception_ptr thrown_by(Body&& body) {
  try {
    body();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

// The group that `body` throws; fails the test case if it throws none.
template <class Body> trio::BaseExceptionGroup group_thrown_by(Body&& body) {
  std::exception_ptr const error = thrown_by(std::forward<Body>(body));
  auto const* group = trio::exception_cast<trio::BaseExceptionGroup>(error);
  REQUIRE_MESSAGE(group, "expected an exception group, got ", trio::describe(error));
  return *group;
}

}  // namespace support
