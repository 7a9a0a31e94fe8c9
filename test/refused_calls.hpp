// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

// From here on the kernel answers this system call (with this third argument, or any) with `error`,
// to this thread and for good: to stand in for an older kernel, in a hidden case.
inline void refuse_calls(int number, int error, std::optional<std::uint32_t> third = {}) {
  auto const field = [](std::size_t offset) {
    return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
  };
  auto const skip_unless = [](std::uint32_t value, std::uint8_t skipped) {
    return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, skipped, value};
  };
  auto const answer = [](std::uint32_t verdict) {
    return sock_filter{BPF_RET | BPF_K, 0, 0, verdict};
  };
  constexpr std::size_t third_argument = offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t);
  std::array<sock_filter, 6> filter = {
      field(offsetof(seccomp_data, nr)),
      skip_unless(static_cast<std::uint32_t>(number), 3),
      field(third ? third_argument : offsetof(seccomp_data, nr)),
      skip_unless(third.value_or(static_cast<std::uint32_t>(number)), 1),
      answer(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
      answer(SECCOMP_RET_ALLOW),
  };
  sock_fprog const program = {filter.size(), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
    throw std::system_error(errno, std::generic_category(), "seccomp");
}
