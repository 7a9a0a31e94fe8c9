// SPDX-License-Identifier: BSL-1.0
#include <tractor/dialog_protocol.hpp>

#include <string>
#include <string_view>

namespace tractor {
namespace {

std::string_view sender_name(Automaton::State const& state) {
  return state.sender == Role::caller ? "caller" : "callee";
}

}  // namespace

std::string Automaton::describe(std::size_t state) const {
  State const& here = states[state];
  if (here.is_end()) return "the end";
  std::string text = "the " + std::string(sender_name(here)) + " sends ";
  std::string_view separator;
  for (Edge const& edge : here.edges) {
    text.append(separator).append(messages[edge.message].name());
    separator = " or ";
  }
  return text;
}

// For example "0 caller: Credentials{string string} 1; 1 callee: Denied{} 2, Granted{} 3; ...":
// each state with its sender, and each message with the state that follows.
std::string Automaton::text() const {
  SchemaArchive schema;
  for (std::size_t i = 0; i < states.size(); ++i) {
    schema.add(i == 0 ? "" : "; ");
    schema.add(i);
    schema.add(" ");
    schema.add(states[i].is_end() ? "end" : sender_name(states[i]));
    std::string_view separator = ": ";
    for (Edge const& edge : states[i].edges) {
      schema.add(separator);
      messages[edge.message].describe(schema);
      schema.add(" ");
      schema.add(std::size_t{edge.next});
      separator = ", ";
    }
  }
  return schema.take();
}

}  // namespace tractor
