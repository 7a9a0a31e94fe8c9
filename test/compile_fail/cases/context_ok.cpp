// SPDX-License-Identifier: BSL-1.0
// expect: ok
#include "context.hpp"

struct Nothing {};

void nothing(tractor::Context<Nothing>& ctx);

int of_named(tractor::CallerContext<Talk, int>& ctx, int started) {
  auto stream = ctx.open_stream({.window = 16, .overrun = tractor::Overrun::drop_oldest});
  stream.send("text");
  stream.send(std::string("text"));
  for (int number : stream) started += number;
  auto subscription = stream.subscribe();
  for (int number : subscription) started += number;
  return started + ctx.result();
}

int use(tractor::Portal portal) {
  portal.open_context<nothing>([](auto& ctx) { ctx.result(); });
  portal.open_context<tell>([](auto& ctx) {
    auto stream = ctx.open_stream();
    while (stream.next()) {}
  });
  portal.open_stream_from<count>(10, [](tractor::ReceiveStream<int>& stream) { stream.receive(); });
  std::optional<int> const some =
      portal.open_context<talk>(1, [](auto&, int) { return std::optional<int>(); });
  return some.value_or(0) + portal.open_context<talk>(1, of_named) +
         portal.with({.cancel_patience = std::chrono::seconds(1)}).open_context<talk>(1, of_named);
}

void serve(tractor::Context<Talk>& ctx) {
  ctx.started('a');
  auto stream = ctx.open_stream();
  for (std::string const& text : stream) stream.send(static_cast<short>(text.size()));
  stream.send_eof();
}
