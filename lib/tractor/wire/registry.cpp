// SPDX-License-Identifier: BSL-1.0
#include "program.hpp"

#include <tractor/detail/linkage.hpp>
#include <tractor/detail/type_name.hpp>
#include <tractor/expose.hpp>

#include <algorithm>

namespace tractor {
namespace {

// Filled before main, and while a library is loaded.
constinit Entry* first_entry = nullptr;

// The distinct functions among `entries` that are called `name`.
std::vector<Entry const*> called(std::string_view name, std::span<Entry const* const> entries) {
  std::vector<Entry const*> found;
  for (Entry const* entry : entries) {
    auto const is_same = [entry](Entry const* other) { return entry->same_function(*other); };
    if (entry->id().name() == name && std::none_of(found.begin(), found.end(), is_same))
      found.push_back(entry);
  }
  return found;
}

// What a peer calls a function, if it can be one's name: it came over the wire, so that no
// demangler is to see it (c++filt makes it readable), nor a terminal.
std::string printable_name(std::string_view name) {
  constexpr std::size_t longest = 200;
  auto const is_plain = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (name.size() > longest || !std::ranges::all_of(name, is_plain)) return "of that name";
  return "'" + std::string(name) + "'";
}

Resolution refuse(Refusal refusal, std::string sentence) {
  return {nullptr, refusal, "tractor: " + std::move(sentence), {}};
}

Resolution grant(Entry const& entry) { return {&entry, Refusal::none, {}, {}}; }

}  // namespace

// What is inside "tractor::function<&(...)>" or "tractor::function<...>".
std::string readable_name(std::string_view name) {
  constexpr std::string_view open = "tractor::function<";
  std::string const readable = detail::demangle(std::string(name).c_str());
  std::string_view inner = readable;
  if (!inner.starts_with(open) || !inner.ends_with(">")) return readable;
  inner.remove_prefix(open.size());
  inner.remove_suffix(1);
  if (inner.starts_with("&")) inner.remove_prefix(1);
  if (inner.starts_with("(") && inner.ends_with(")")) inner = inner.substr(1, inner.size() - 2);
  return std::string(inner);
}

std::string FunctionId::readable_name() const {
  return is_named_ ? std::string(name_) : tractor::readable_name(name_);
}

std::uint64_t FunctionId::offset() const noexcept { return detail::offset_in_program(anchor_); }

bool FunctionId::crosses_builds() const { return is_named_ || detail::is_portable_name(name_); }

Entry::Entry(FunctionId const& function, void const* target, Invoke invoker,
             bool takes_context) noexcept
    : id_(function),
      target_(target),
      invoke_(invoker),
      takes_context_(takes_context),
      next_(first_entry),
      link_(&first_entry) {
  if (next_) next_->link_ = &next_;
  first_entry = this;
}

Entry::~Entry() {
  *link_ = next_;
  if (next_) next_->link_ = link_;
}

bool Entry::same_function(Entry const& other) const noexcept {
  return id_.name() == other.id_.name() && target_ == other.target_;
}

std::vector<Entry const*> registered_functions() {
  std::vector<Entry const*> all;
  for (Entry const* entry = first_entry; entry; entry = entry->next()) all.push_back(entry);
  return all;
}

Resolution resolve(std::span<Entry const* const> exposed, FunctionRequest const& request) {
  for (Entry const* entry : exposed)
    if (request.offset != 0 && entry->id().offset() == request.offset) return grant(*entry);

  std::vector<Entry const*> const candidates = called(request.name, exposed);
  if (candidates.empty()) {
    std::vector<Entry const*> const known = called(request.name, registered_functions());
    if (known.empty())
      return refuse(Refusal::unknown,
                    "no expose<...> in the program of this actor names a function " +
                        printable_name(request.name) +
                        ": name it there, and start the actor with that");
    return refuse(Refusal::not_exposed, "this actor was not started with " +
                                            known.front()->id().readable_name() +
                                            ": add it to its expose<...>");
  }
  FunctionId const& only = candidates.front()->id();
  std::string const name = only.readable_name();
  if (candidates.size() > 1)
    return refuse(Refusal::ambiguous, "this actor was started with several functions named " +
                                          name + ": give them different names by named<...>");
  if (!only.crosses_builds()) {
    if (request.offset != 0)
      return refuse(Refusal::not_exposed, "this actor was started with another " + name +
                                              ", of another source file, than the one called");
    return refuse(Refusal::not_portable,
                  name +
                      " is a static function or a lambda, which another program cannot name: "
                      "expose and call it as named<\"...\", function>");
  }
  if (request.offset == 0 && request.signature_hash != only.signature_hash()) {
    Resolution refusal =
        refuse(Refusal::signature_mismatch,
               name + " has another signature in this actor than in its caller, here it is " +
                   only.signature() + ": build both from the same declaration");
    refusal.signature = only.signature();
    return refusal;
  }
  return grant(*candidates.front());
}

}  // namespace tractor
