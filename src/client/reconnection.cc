// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/reconnection.h"

namespace zatt::client {

void Reconnection::on_failure(bool answered, std::uint32_t servers, std::uint64_t now_us) {
  if (unreached_since_us_ == never_us) unreached_since_us_ = now_us;
  ++failures_;
  retry_at_us_ = now_us;
  if (failures_ >= servers)
    retry_at_us_ += backoff_.pause_us(failures_ / servers - 1);
  else if (answered)
    retry_at_us_ += backoff_.pause_us(0);  // it may go on like that for ever
}

void Reconnection::on_answer() {
  unreached_since_us_ = never_us;
  failures_ = 0;
}

std::uint64_t Reconnection::give_up_at_us() const {
  if (limit_us_ == 0 || unreached_since_us_ == never_us) return never_us;
  return unreached_since_us_ + limit_us_;
}

}  // namespace zatt::client
