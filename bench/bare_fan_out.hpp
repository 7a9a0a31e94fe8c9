// SPDX-License-Identifier: BSL-1.0
#pragma once
#include "bare_process.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <zmq.hpp>

namespace bench {

// Bare libzmq from one process to many: the parent's XPUB, each child's SUB, over ipc, without
// bounds; and a PUSH of each child by which it tells that it has received a batch.

inline constexpr char const* zmq_subscriber = "zmq-subscriber";

// How many messages a subscriber receives before it says so.
inline constexpr int fan_out_batch = 10'000;

// Until an empty message.
void subscribe_by_zmq(char const* endpoint);

class BareFanOut {
 public:
  // Returns when all have subscribed.
  explicit BareFanOut(int subscribers);
  ~BareFanOut();

  // A batch of the same message; waits until everybody has it.
  void publish_batch(std::string_view text);

 private:
  zmq::context_t context_;
  zmq::socket_t publisher_;
  zmq::socket_t told_;
  std::vector<BareProcess> subscribers_;
};

}  // namespace bench
