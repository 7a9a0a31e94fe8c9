// SPDX-License-Identifier: BSL-1.0
#include "fan_out.hpp"
#include "zmq_context.hpp"
#include "zmq_error.hpp"
#include "zmq_intake.hpp"
#include "zmq_outlet.hpp"

#include <utility>

namespace tractor::ipc {

namespace {

class ZmqFanOut final : public FanOut {
 public:
  ZmqFanOut(trio::Nursery& service, TransportOptions options)
      : service_(service), options_(std::move(options)) {}

  std::unique_ptr<Outlet> open_outlet(std::string const& name, std::string const& word,
                                      std::size_t queue, OutletReader& reader) override {
    return telling("publish as " + name, [&] {
      return std::make_unique<ZmqOutlet>(context_, options_, service_, name, word, queue, reader);
    });
  }

  std::unique_ptr<Intake> open_intake(std::string const& endpoint, std::string const& word,
                                      IntakeReader& reader) override {
    return telling("connect to " + endpoint, [&] {
      return std::make_unique<ZmqIntake>(context_, options_, service_, endpoint, word, reader);
    });
  }

  void process_ends() noexcept override { context_->process_ends(); }

 private:
  trio::Nursery& service_;
  TransportOptions options_;
  std::shared_ptr<ZmqContext> const context_ = std::make_shared<ZmqContext>();
};

}  // namespace

std::unique_ptr<FanOut> make_fan_out(trio::Nursery& service, TransportOptions options) {
  return telling("use ZeroMQ",
                 [&] { return std::make_unique<ZmqFanOut>(service, std::move(options)); });
}

}  // namespace tractor::ipc
