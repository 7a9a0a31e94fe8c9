// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/descriptor.hpp>

#include <fcntl.h>
#include <sys/resource.h>

// Lets the process have no more descriptors than it has now.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit now = before_;
    // The lowest number that is free.
    trio::Descriptor const next(open("/dev/null", O_RDONLY | O_CLOEXEC));
    now.rlim_cur = static_cast<rlim_t>(next.get());
    setrlimit(RLIMIT_NOFILE, &now);
  }

  NoMoreDescriptors(NoMoreDescriptors const&) = delete;
  NoMoreDescriptors& operator=(NoMoreDescriptors const&) = delete;

  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};
