// SPDX-License-Identifier: AGPL-3.0-or-later
// How fast the disk keeps what it is given, as far as it has shown.
#pragma once

#include <cstdint>

namespace zatt::raft {

class DiskRate {
 public:
  // So much was made durable in so long, in which the disk had nothing else to do. Little says
  // nothing: that takes a sync's time whatever the disk can do.
  void note(std::uint64_t bytes, std::uint64_t us);
  // What it keeps in a second; 0: not shown yet. Rises at once, and sinks slowly: a stall passes.
  std::uint64_t bytes_per_s() const { return bytes_per_s_; }

 private:
  std::uint64_t bytes_per_s_ = 0;
};

}  // namespace zatt::raft
