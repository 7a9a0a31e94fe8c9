// SPDX-License-Identifier: BSL-1.0
#include <tractor/error_types.hpp>

namespace tractor {

namespace {

// Filled before main, and while a library is loaded.
constinit ErrorType* first = nullptr;

}  // namespace

ErrorType::ErrorType(std::type_info const& type, std::uint64_t (*hash)(), Save saver,
                     Load loader) noexcept
    : type_(type), fields_hash_(hash), save_(saver), load_(loader), next_(first), link_(&first) {
  if (next_) next_->link_ = &next_;
  first = this;
}

ErrorType::~ErrorType() {
  *link_ = next_;
  if (next_) next_->link_ = link_;
}

ErrorType const* ErrorType::find(std::type_info const& type) noexcept {
  for (ErrorType const* entry = first; entry; entry = entry->next_)
    if (entry->type_ == type) return entry;
  return nullptr;
}

ErrorType const* ErrorType::find(std::string_view mangled_name) noexcept {
  for (ErrorType const* entry = first; entry; entry = entry->next_)
    if (entry->type_.name() == mangled_name) return entry;
  return nullptr;
}

}  // namespace tractor
