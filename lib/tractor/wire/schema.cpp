// SPDX-License-Identifier: BSL-1.0
#include <tractor/detail/type_name.hpp>
#include <tractor/schema.hpp>

namespace tractor {

SchemaArchive::SchemaArchive() = default;
SchemaArchive::~SchemaArchive() = default;

void SchemaArchive::add(std::string_view text) { text_ += text; }

void SchemaArchive::add(std::size_t number) { text_ += std::to_string(number); }

void SchemaArchive::separate() {
  if (!text_.empty() && text_.back() != '{') text_ += ' ';
}

void SchemaArchive::add_name(std::type_info const& type, std::string_view wire_name) {
  text_ += wire_name.empty() ? detail::type_name(type) : wire_name;
}

bool SchemaArchive::begin_class(std::type_info const& type, std::string_view wire_name) {
  add_name(type, wire_name);
  if (!described_.insert(type).second) return false;
  text_ += '{';
  return true;
}

void SchemaArchive::end_class() { text_ += '}'; }

}  // namespace tractor
