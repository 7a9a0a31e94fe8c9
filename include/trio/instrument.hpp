// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/time.hpp>

namespace trio {

class Task;

// Is told what a run does, as it does it: for measuring, tracing, and finding out why. Derive from
// it, override what is of interest, and hand it to RunOptions::instruments or
// lowlevel::add_instrument().
//
// All of it is called on the run's thread, before_task_step and after_task_step in the task, the
// others between steps or in whichever task is the cause; none may wait. One that throws is
// reported on stderr and taken out of the run, which goes on. While a run has one, it is slower:
// each checkpoint goes through the run loop. Mirrors trio.abc.Instrument.
class Instrument {
 public:
  virtual ~Instrument() = default;

  // Before anything runs, and after everything has.
  virtual void before_run() {}

  virtual void after_run() {}

  // A task was made. It is scheduled next.
  virtual void task_spawned(Task& /*task*/) {}

  // A task has become ready to run.
  virtual void task_scheduled(Task& /*task*/) {}

  // A task goes on, until it waits or ends: then after_task_step. At a checkpoint that waits for
  // nothing, task_scheduled comes before after_task_step.
  virtual void before_task_step(Task& /*task*/) {}

  virtual void after_task_step(Task& /*task*/) {}

  // A task has ended; `task` goes when this returns.
  virtual void task_exited(Task& /*task*/) {}

  // The run looks for input, for `timeout` at the most, and has looked. It does not in each pass of
  // the loop: see RunOptions::poll_every_pass.
  virtual void before_io_wait(Duration /*timeout*/) {}

  virtual void after_io_wait(Duration /*timeout*/) {}
};

namespace lowlevel {

// From now on `instrument` is told of what the current run does, until the run's end or
// remove_instrument(): so long it must live. Adding it again does nothing. Not a checkpoint. Throws
// MisuseError outside a run. Mirrors trio.lowlevel.add_instrument.
void add_instrument(Instrument& instrument);

// Undoes it. Throws MisuseError if it is not there (perhaps because it has thrown), or outside a
// run. Not a checkpoint. Mirrors trio.lowlevel.remove_instrument.
void remove_instrument(Instrument& instrument);

}  // namespace lowlevel
}  // namespace trio
