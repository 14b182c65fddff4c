// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/disk_rate.h"

#include <algorithm>

namespace zatt::raft {
namespace {

constexpr std::uint64_t least_sample_bytes = 64 << 10;

}  // namespace

void DiskRate::note(std::uint64_t bytes, std::uint64_t us) {
  if (bytes < least_sample_bytes) return;
  const std::uint64_t sample = bytes * 1'000'000 / std::max<std::uint64_t>(us, 1);
  bytes_per_s_ =
      std::max(sample, bytes_per_s_ - (bytes_per_s_ - std::min(bytes_per_s_, sample)) / 4);
}

}  // namespace zatt::raft
