// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/errors.hpp>

namespace trio::detail {

// Says so where two tasks use at once what only one may use at a time.
class ConflictDetector {
 public:
  // In use until this is destroyed.
  class [[nodiscard]] Use {
   public:
    // Throws BusyResourceError, saying `what`, if it is in use.
    Use(ConflictDetector& detector, char const* what) : detector_(detector) {
      if (detector_.in_use_) throw BusyResourceError(what);
      detector_.in_use_ = true;
    }

    Use(Use const&) = delete;
    Use& operator=(Use const&) = delete;

    ~Use() { detector_.in_use_ = false; }

   private:
    ConflictDetector& detector_;
  };

 private:
  bool in_use_ = false;
};

}  // namespace trio::detail
