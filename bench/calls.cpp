// SPDX-License-Identifier: BSL-1.0
// Calls and processes against what they are made of: bare libzmq between two processes, and a bare
// process that says hello over it. Where the two processes land changes every figure: run it free
// and pinned to one core (taskset -c 0).
#include <tractor/tractor.hpp>

#include <array>
#include <cstring>
#include <string>

#include <benchmark/benchmark.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.hpp>

namespace {

int add(int a, int b) { return a + b; }

void nothing() {}

// This program started as a bare echo: no actor, no fiber.
constexpr char const* echo_word = "--bare-echo";

int bare_echo(char const* endpoint) {
  zmq::context_t context;
  zmq::socket_t dealer(context, ZMQ_DEALER);
  dealer.connect(endpoint);
  dealer.send(zmq::str_buffer("hello"), zmq::send_flags::none);
  for (zmq::message_t message; dealer.recv(message) && message.size() > 0;)
    dealer.send(message, zmq::send_flags::none);
  dealer.set(zmq::sockopt::linger, 0);
  return 0;
}

// The parent's side of one bare echo.
class BareEcho {
 public:
  BareEcho() : router_(context_, ZMQ_ROUTER) {
    router_.bind(endpoint_);
    std::string program = "/proc/self/exe";
    std::string word = echo_word;
    std::array<char*, 4> arguments = {program.data(), word.data(), endpoint_.data(), nullptr};
    posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments.data(), environ);
    receive();
  }

  ~BareEcho() {
    send("");
    waitpid(pid_, nullptr, 0);
    unlink(endpoint_.c_str() + std::strlen("ipc://"));
  }

  void round_trip() {
    send("12345678");
    receive();
  }

 private:
  void send(char const* text) {
    router_.send(zmq::buffer(id_), zmq::send_flags::sndmore);
    router_.send(zmq::buffer(text, std::strlen(text)), zmq::send_flags::none);
  }

  void receive() {
    zmq::message_t message;
    static_cast<void>(router_.recv(message));
    id_ = message.to_string();
    static_cast<void>(router_.recv(message));
  }

  std::string endpoint_ = "ipc:///tmp/tractor-bench-" + std::to_string(getpid());
  zmq::context_t context_;
  zmq::socket_t router_;
  std::string id_;
  pid_t pid_ = 0;
};

void zmq_round_trip(benchmark::State& state) {
  BareEcho echo;
  for (auto _ : state) echo.round_trip();
}

void portal_run_round_trip(benchmark::State& state) {
  trio::run([&] {
    tractor::open_nursery([&](tractor::ActorNursery& nursery) {
      auto portal = nursery.start_actor("adder", tractor::expose<add>);
      for (auto _ : state) benchmark::DoNotOptimize(portal.run<add>(1, 2));
      portal.cancel_actor();
    });
  });
}

void bare_process_hello_and_reap(benchmark::State& state) {
  for (auto _ : state) BareEcho echo;
}

void run_in_actor_and_reap(benchmark::State& state) {
  trio::run([&] {
    tractor::open_root_actor({}, [&] {
      for (auto _ : state)
        tractor::open_nursery(
            [](tractor::ActorNursery& nursery) { nursery.run_in_actor<nothing>(); });
    });
  });
}

void spawn_8_cancel_and_reap(benchmark::State& state) {
  trio::run([&] {
    tractor::open_root_actor({}, [&] {
      for (auto _ : state)
        tractor::open_nursery([&](tractor::ActorNursery& nursery) {
          state.PauseTiming();
          for (int i = 0; i < 8; ++i) nursery.start_actor("idle", tractor::expose<nothing>);
          state.ResumeTiming();
          nursery.cancel();
        });
    });
  });
}

}  // namespace

BENCHMARK(zmq_round_trip)->UseRealTime();
BENCHMARK(portal_run_round_trip)->UseRealTime();
BENCHMARK(bare_process_hello_and_reap)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(run_in_actor_and_reap)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(spawn_8_cancel_and_reap)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(20);

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == echo_word) return bare_echo(argv[2]);
  tractor::become_actor_if_spawned();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
