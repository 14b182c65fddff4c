// SPDX-License-Identifier: AGPL-3.0-or-later
// Whether the other end takes anything, as seen in looks now and then.
//
// Looks are counted, not time: while this process stood still, nobody could be seen to take.
#pragma once

#include <cstdint>

namespace zatt::server {

class ProgressWatch {
 public:
  // `taken`: how many bytes the other end has taken so far.
  explicit ProgressWatch(std::uint64_t taken = 0) : taken_(taken) {}

  // How many looks in a row, this one too, have found nothing more taken.
  unsigned look(std::uint64_t taken) {
    in_vain_ = taken == taken_ ? in_vain_ + 1 : 0;
    taken_ = taken;
    return in_vain_;
  }

 private:
  std::uint64_t taken_;
  unsigned in_vain_ = 0;
};

}  // namespace zatt::server
