// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor_id.hpp>
#include <tractor/log.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace tractor {

class Portal;

// Clean-up that an actor does when it ends, whichever way: its work done, an error, cancellation,
// an interrupt. Mirrors tractor's Actor.lifetime_stack.
class Lifetime {
 public:
  // Has `clean_up` called when the actor ends, after all its tasks have; the last one deferred
  // comes first. It runs shielded from cancellation and may wait; what it throws is logged. Not a
  // checkpoint.
  void defer(std::function<void()> clean_up) { deferred_.push_back(std::move(clean_up)); }

 private:
  friend class LocalActor;

  std::vector<std::function<void()>> deferred_;
};

// Variables that an actor's children, and theirs, start with.
using RuntimeVars = std::map<std::string, std::string>;

// The actor that the calling task belongs to: a process that runs trio, linked into the tree of
// actors. Mirrors tractor.Actor.
class Actor {
 public:
  Actor(Actor const&) = delete;
  Actor& operator=(Actor const&) = delete;

  ActorId const& id() const noexcept { return id_; }

  std::string const& name() const noexcept { return id_.name; }

  // How deep in the tree: 0 for the root.
  int depth() const noexcept { return depth_; }

  bool is_root() const noexcept { return depth_ == 0; }

  // The number of the whole tree, in the arguments of all its processes but the root's.
  std::string const& tree_id() const noexcept { return tree_id_; }

  LogLevel log_level() const noexcept { return log_level_; }

  // As they came from the parent, with what the child was given on top. Mirrors tractor's runtime
  // vars.
  RuntimeVars const& runtime_vars() const noexcept { return runtime_vars_; }

  // For deferring clean-up to the actor's end.
  Lifetime& lifetime() noexcept { return lifetime_; }

  // A portal to the actor that spawned this one. Throws MisuseError in the root, which has none.
  Portal parent() const;

 protected:
  Actor() = default;
  ~Actor() = default;

  ActorId id_;
  int depth_ = 0;
  std::string tree_id_;
  LogLevel log_level_ = LogLevel::warning;
  RuntimeVars runtime_vars_;
  Lifetime lifetime_;
};

// The actor that the calling task belongs to. Throws NoRuntime outside of actors. Not a checkpoint.
// Mirrors tractor.current_actor.
Actor& current_actor();

// Prints what all tasks of this actor and of those below it are doing, to the standard error of the
// root: the same as SIGUSR1 does, sent to any of these processes (unless the program handles that
// itself). For each task it says what it waits for and since when, with its stack; even where an
// actor computes without ever waiting. Returns at once, before it is printed; not a checkpoint.
// Throws NoRuntime outside of actors.
void print_task_tree();

// Whether this process leads a tree: no actor spawned it. Mirrors tractor.is_root_process.
bool is_root_process() noexcept;

}  // namespace tractor
