// SPDX-License-Identifier: BSL-1.0
#include "context_core.hpp"

#include <tractor/detail/dialog_core.hpp>
#include <tractor/stream_options.hpp>
#include <trio/lowlevel.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tractor::detail {
namespace {

using runtime::ContextCore;

// The stream of a context as the channel of its dialog.
class StreamChannel final : public DialogChannel {
 public:
  explicit StreamChannel(std::shared_ptr<ContextCore> context) : context_(std::move(context)) {
    context_->open_stream(StreamOptions());
  }

  void send(Buffer message) override { context_->send(std::move(message)); }

  std::optional<Buffer> receive() override { return context_->next(); }

  void close() noexcept override { context_->close_stream(ContextCore::Flow::stopped); }

  void abort() noexcept override { context_->close_stream(ContextCore::Flow::aborted); }

  void cancel_callee(std::string reason) override { context_->cancel_callee(std::move(reason)); }

  std::string peer() const override { return "actor " + describe(context_->other()); }

 private:
  std::shared_ptr<ContextCore> const context_;
};

}  // namespace

std::shared_ptr<DialogCore> begin_dialog(std::shared_ptr<ContextCore> context, Role role,
                                         Automaton const& automaton) {
  if (role == Role::callee) {
    // One that was cancelled meanwhile has no stream to open.
    trio::lowlevel::checkpoint_if_cancelled();
    context->start(Buffer());
  }
  return std::make_shared<DialogCore>(automaton, role,
                                      std::make_unique<StreamChannel>(std::move(context)));
}

}  // namespace tractor::detail
