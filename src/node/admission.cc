// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/admission.h"

#include <algorithm>
#include <utility>

namespace zatt::node {

void Admission::begin_term(Term term) {
  if (std::exchange(term_, term) == term) return;
  under_way_.clear();
  bytes_ = 0;
}

void Admission::on_proposed(Index last, std::uint64_t bytes) {
  under_way_.push_back({last, bytes, env_.now_us()});
  bytes_ += bytes;
}

void Admission::on_applied(Index index) {
  if (under_way_.empty() || index < under_way_.front().last) return;
  const std::uint64_t now = env_.now_us();
  while (!under_way_.empty() && under_way_.front().last <= index) {
    const std::uint64_t bytes = under_way_.front().bytes;
    delay_us_ = now - under_way_.front().since_us;
    under_way_.pop_front();
    bytes_ -= bytes;
    answered_bytes_ += bytes;
    // Many small pieces are one entry here, or a fast disk would fill the window with them.
    if (!answered_.empty() && now - answered_.back().at_us < window_us / 64)
      answered_.back().bytes += bytes;
    else
      answered_.push_back({now, bytes});
  }
  forget_answered(now);
}

void Admission::forget_answered(std::uint64_t now_us) {
  while (!answered_.empty() && answered_.front().at_us + window_us < now_us) {
    answered_bytes_ -= answered_.front().bytes;
    answered_.pop_front();
  }
}

bool Admission::has_room(std::uint64_t gathered, std::uint64_t first) {
  const std::uint64_t taken = bytes_ + gathered;
  if (taken < least_bytes) return true;
  const std::uint64_t now = env_.now_us();
  forget_answered(now);
  return taken < std::max(is_behind(now) ? least_bytes : first, rate());
}

std::uint64_t Admission::wait_us(std::uint64_t bytes) {
  const std::uint64_t now = env_.now_us();
  forget_answered(now);
  return is_behind(now) && rate() > 0 ? bytes * 1'000'000 / rate() : 0;
}

bool Admission::is_in_time(std::uint64_t deadline_us) const {
  if (under_way_.empty()) return true;  // whatever it was like before
  const std::uint64_t now = env_.now_us();
  return comes_in_time(now, delay_us_, now - under_way_.front().since_us, deadline_us);
}

}  // namespace zatt::node
