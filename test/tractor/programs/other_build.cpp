// SPDX-License-Identifier: BSL-1.0
// An actor of another build: it has functions of the same names as the test, some with another
// signature.
#include "shared_functions.hpp"

#include <tractor/tractor.hpp>

#include <cstdlib>
#include <string>
#include <utility>

namespace shared {

int add(int a, int b) { return a + b; }

int changed(std::string const& text) { return static_cast<int>(text.size()); }

tractor::Finished<Alike> alike(tractor::CalleeDialog<Alike> dialog) {
  auto [number, rest] = std::move(dialog).receive();
  return std::move(rest).send(number + 1).finish();
}

tractor::Finished<Unlike> unlike(tractor::CalleeDialog<Unlike> dialog) {
  auto [number, rest] = std::move(dialog).receive();
  return std::move(rest).send(std::to_string(number)).finish();
}

std::string talk(tractor::Context<Talk>& context, int factor) {
  context.started(factor + 1);
  auto stream = context.open_stream();
  int sum = 0;
  for (int const number : stream) {
    sum += number;
    stream.send(std::to_string(factor * number));
  }
  return std::to_string(sum);
}

// Not to be begun.
void other_started(tractor::Context<OtherStarted>&) { std::abort(); }

void other_to_callee(tractor::Context<OtherToCallee>&) { std::abort(); }

void other_to_caller(tractor::Context<OtherToCaller>&) { std::abort(); }

void count(tractor::SendStream<int>& stream, int end) {
  for (int i = 0; i < end; ++i) stream.send(i);
}

void other_items(tractor::SendStream<Other>&) { std::abort(); }

SameCodec doubled(SameCodec value) { return {2 * value.number}; }

void other_codec_in(OtherCodec) { std::abort(); }

namespace {

template <class T> void publish_three(tractor::Context<Publishes<T>>& context) {
  tractor::Publisher<T> numbers("numbers");
  context.started(numbers.topic());
  numbers.wait_for_subscribers();
  for (int i = 1; i <= 3; ++i) numbers.publish(T{i});
}

}  // namespace

void publish(tractor::Context<Publishes<int>>& context) { publish_three(context); }

void publish_coded(tractor::Context<Publishes<OtherCodec>>& context) { publish_three(context); }

}  // namespace shared

int main() {
  // What it can be asked to expose.
  static_cast<void>(
      tractor::expose<shared::add, shared::changed, shared::alike, shared::unlike, shared::talk,
                      shared::other_started, shared::other_to_callee, shared::other_to_caller,
                      shared::count, tractor::named<"items", shared::other_items>, shared::doubled,
                      shared::other_codec_in, shared::publish, shared::publish_coded>);
  return tractor::run([] {});
}
