// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <initializer_list>
#include <string>

#include <sys/types.h>

namespace bench {

// A process of this very program, so linked with the same libraries, that becomes no actor: what
// actors are measured against.
class BareProcess {
 public:
  // `words` are its arguments: see run_if_bare.
  explicit BareProcess(std::initializer_list<std::string> words);
  BareProcess(BareProcess&& other) noexcept;
  BareProcess& operator=(BareProcess&&) = delete;
  // Waits, if nobody has.
  ~BareProcess();

  // SIGKILL.
  void kill() const;
  // Reaps it.
  void wait();

 private:
  pid_t pid_ = 0;
};

// The first thing of a main after becoming an actor: if this process was started as a bare one,
// does what it was told and ends.
void run_if_bare(int argc, char** argv);

}  // namespace bench
