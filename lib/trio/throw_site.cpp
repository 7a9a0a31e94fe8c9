// SPDX-License-Identifier: BSL-1.0
#include "throw_site.hpp"

#include "unwind.hpp"

#include <trio/cancelled.hpp>
#include <trio/exception_group.hpp>
#include <trio/stack_trace.hpp>

#include <array>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <typeinfo>
#include <unordered_map>
#include <utility>

#include <boost/context/fiber.hpp>
#include <unwind.h>

namespace trio {

namespace {

// What libstdc++ keeps right in front of every exception object.
struct ExceptionHeader {
  std::type_info* type;
  void (*destructor)(void*);
  void (*unexpected_handler)();
  void (*terminate_handler)();
  ExceptionHeader* next_exception;
  int handler_count;
  int handler_switch_value;
  unsigned char const* action_record;
  unsigned char const* language_specific_data;
  _Unwind_Ptr catch_temp;
  void* adjusted_pointer;
  _Unwind_Exception unwind_header;

  static ExceptionHeader& of(void* object) noexcept {
    return static_cast<ExceptionHeader*>(object)[-1];
  }
};

static_assert(sizeof(ExceptionHeader) == 112, "libstdc++'s layout on x86-64 and aarch64");

// Each exception whose stack is known. Process-wide, as exceptions are: they travel between threads
// and die on any of them. An entry lives as long as its exception, whose destructor we stand in
// for.
class ThrowSites {
 public:
  // Does nothing if the exception has an entry: the first one is nearest to the throw.
  void remember(void* exception) {
    std::lock_guard const lock(mutex_);
    auto const [entry, is_new] = sites_.try_emplace(exception);
    if (!is_new) return;
    try {
      std::array<void const*, detail::most_frames> frames{};
      std::size_t const count = detail::walk_own_stack(frames);
      entry->second.stack.assign(frames.begin(),
                                 frames.begin() + static_cast<std::ptrdiff_t>(count));
    } catch (...) {
      sites_.erase(entry);
      throw;
    }
    ExceptionHeader& header = ExceptionHeader::of(exception);
    entry->second.destructor = std::exchange(header.destructor, forget_and_destroy);
  }

  StackTrace find(void const* exception) const {
    std::lock_guard const lock(mutex_);
    auto const entry = sites_.find(exception);
    return entry == sites_.end() ? StackTrace() : entry->second.stack;
  }

  std::size_t size() const {
    std::lock_guard const lock(mutex_);
    return sites_.size();
  }

 private:
  struct Site {
    // The exception's own; null if it needs none.
    void (*destructor)(void*) = nullptr;
    StackTrace stack = {};
  };

  static void forget_and_destroy(void* exception);

  mutable std::mutex mutex_;
  std::unordered_map<void const*, Site> sites_;
};

// Never destroyed: exceptions may outlive every static object.
ThrowSites& throw_sites() {
  static ThrowSites& sites = *new ThrowSites;
  return sites;
}

void ThrowSites::forget_and_destroy(void* exception) {
  ThrowSites& self = throw_sites();
  void (*destructor)(void*) = nullptr;
  {
    std::lock_guard const lock(self.mutex_);
    auto const entry = self.sites_.find(exception);
    destructor = entry->second.destructor;
    self.sites_.erase(entry);
  }
  if (destructor) destructor(exception);
}

// The C++ object that flies, or null if something else does.
void* thrown_object(std::uint64_t exception_class, _Unwind_Exception* exception) noexcept {
  // "GNUCC++\0"; ending in 1 if it was rethrown from an exception_ptr: then only a reference flies,
  // whose header begins with the address of the object itself.
  constexpr std::uint64_t cpp_class = 0x474e5543432b2b00;
  ExceptionHeader& header = ExceptionHeader::of(exception + 1);
  if (exception_class == cpp_class) return exception + 1;
  if (exception_class == cpp_class + 1) return reinterpret_cast<void*>(header.type);
  return nullptr;
}

// Whether its stack tells anybody anything: not that of a cancellation, of a group, whose members
// have their own, or of Boost.Context's way of ending a fiber.
bool is_error(void* object) {
  std::type_info const* const type = ExceptionHeader::of(object).type;
  return *type != typeid(Cancelled) && *type != typeid(boost::context::detail::forced_unwind) &&
         !typeid(BaseExceptionGroup).__do_catch(type, &object, 1);
}

}  // namespace

// The personality routine of the frames in guard.S.
extern "C" _Unwind_Reason_Code trio_guard_personality(int, _Unwind_Action actions,
                                                      std::uint64_t exception_class,
                                                      _Unwind_Exception* exception,
                                                      _Unwind_Context*) noexcept {
  if (!(actions & _UA_SEARCH_PHASE)) return _URC_CONTINUE_UNWIND;
  void* const object = thrown_object(exception_class, exception);
  try {
    if (object && is_error(object)) throw_sites().remember(object);
  } catch (std::bad_alloc const&) {
    // The error matters more than its stack.
  }
  return _URC_CONTINUE_UNWIND;
}

StackTrace thrown_at(std::exception_ptr const& error) {
  // libstdc++'s exception_ptr is a pointer to the thrown object.
  static_assert(sizeof error == sizeof(void*));
  return error ? throw_sites().find(*reinterpret_cast<void* const*>(&error)) : StackTrace();
}

std::size_t detail::throw_sites_remembered() { return throw_sites().size(); }

}  // namespace trio
