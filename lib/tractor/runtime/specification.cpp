// SPDX-License-Identifier: BSL-1.0
#include "specification.hpp"

#include <tractor/archive.hpp>
#include <tractor/wire_errors.hpp>

namespace tractor::runtime {

Buffer encode(Specification const& specification) {
  OutputArchive archive;
  archive(wire::protocol_version, specification.build_id, specification);
  return archive.take();
}

Specification decode_specification(std::span<std::byte const> bytes) {
  InputArchive archive(bytes);
  Specification specification;
  std::uint16_t version = 0;
  archive(version);
  if (version != wire::protocol_version)
    throw DecodeError("tractor: spawned by a program with protocol version " +
                      std::to_string(version) + ", this one has " +
                      std::to_string(wire::protocol_version) + "; build both from one version");
  archive(specification.build_id, specification);
  archive.finish();
  return specification;
}

}  // namespace tractor::runtime
