// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

// Where errors were thrown and where code stands. Nothing here is a checkpoint, and all of it may
// be called by any thread, inside and outside of runs. Symbols are looked up only when asked for.
namespace trio {

// Addresses of instructions, innermost frame first: of the calls, and for a frame that a signal
// interrupted, of what it was about to do. At most 64 frames, down to the beginning of the task.
// They mean something in the process they come from only: see frames_of.
using StackTrace = std::vector<void const*>;

// One line of a readable stack.
struct StackFrame {
  // Who is behind it.
  enum class Kind {
    user,      // the program's code, and everything that is not known to be other than that
    library,   // a public function of trio or tractor
    internal,  // their insides, and the runtime of the language
  };

  // Where the instruction is: path of the program or shared library, and the address in it as the
  // file has it (what addr2line takes). Another process of the same build can look this up.
  std::string module = {};
  std::uint64_t offset = 0;
  // What symbolize() fills in; empty and 0 while unknown. The file as the compiler was given it.
  std::string function = {};
  std::string file = {};
  int line = 0;
  Kind kind = Kind::user;

  bool operator==(StackFrame const&) const = default;
};

// The stack as it stood when the exception was thrown; empty if that is not known. Known are the
// errors that came out of a task, out of the body of a nursery or of trio::catching, or will: each
// exception has its stack from the first of these that it meets, for as long as it lives, whoever
// rethrows it or collects it in a group. Not known are Cancelled, groups (ask for their members),
// and what user code caught and threw anew with `throw;` before that: this shows where that was.
// Throws std::bad_alloc. Mirrors Python's __traceback__.
StackTrace thrown_at(std::exception_ptr const& error);

// The stack of the caller, whose own frame is the innermost of kind user.
StackTrace current_stack();

// A frame for each address, without symbols: fast, and fit to be sent to another process.
std::vector<StackFrame> frames_of(StackTrace const& stack);

// Fills in function, file and line of the frames that have none, by the debug information of their
// modules, or by their symbol tables where there is none; a module that is not loaded in this
// process stays as it is. A frame with inlined functions becomes one frame for each of them. The
// first call in a process reads the debug information, which takes 100 ms or more.
void symbolize(std::vector<StackFrame>& frames);

// The frames as people want to read them, a line each, every one after `indent`:
//
//   load(std::string const&) at config.cpp:41
//   trio::open_nursery
//   amain() at main.cpp:12
//
// No internal frames; and of the library functions that call one another, the outermost. Expects
// symbolized frames: one without a symbol reads "/usr/lib/libfoo.so+0x1234".
std::string format(std::vector<StackFrame> const& frames, std::string_view indent = {});

// An error as describe() has it, or a group as a tree, and under each error the stack where it was
// thrown, if known: what a program prints of an error that nobody handled. Looks symbols up.
std::string report_with_stacks(std::exception_ptr const& error);

}  // namespace trio
