// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/leader_search.h"

#include <utility>

namespace zatt::client {

void LeaderSearch::on_connecting() {
  look_again_at_us_ = never_us;
  redirect_to_.reset();
}

bool LeaderSearch::on_leader(std::optional<Address> elsewhere) {
  no_leader_count_ = 0;
  look_again_at_us_ = never_us;
  if (!elsewhere || hops_ >= most_hops) {
    hops_ = 0;
    return false;
  }
  ++hops_;
  redirect_to_ = std::move(elsewhere);
  return true;
}

// Another server may know more; once all were asked, there is an election to wait for.
void LeaderSearch::on_no_leader(std::string text, std::uint32_t servers, std::uint64_t now_us) {
  ++no_leader_count_;
  text_ = std::move(text);
  look_again_at_us_ = now_us;
  if (no_leader_count_ >= servers)
    look_again_at_us_ += backoff_.pause_us(no_leader_count_ / servers - 1, longest_pause_us);
}

}  // namespace zatt::client
