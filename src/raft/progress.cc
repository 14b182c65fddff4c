// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/progress.h"

#include <algorithm>
#include <cstdint>

namespace zatt::raft {

void Progress::to_probe(Index next) {
  state = State::probe;
  next_index = std::max(next, match_index + 1);
  probing = false;
  fetch = 0;
  in_flight.clear();
  in_flight_bytes = 0;
}

void Progress::to_replicate(Index received) {
  to_probe(received + 1);
  state = State::replicate;
}

void Progress::rejected(Index next) {
  to_probe(next);
  window_bytes = 0;
}

void Progress::sent(Index last, std::uint64_t bytes, std::uint64_t now_us) {
  if (state == State::probe) {
    probing = true;
    probe_sent_us = now_us;
    return;
  }
  next_index = last + 1;
  in_flight.push_back({last, bytes, now_us});
  in_flight_bytes += bytes;
}

std::uint64_t Progress::room_in_flight(std::uint64_t max_in_flight_bytes) const {
  const std::uint64_t most = std::min({window_bytes, max_in_flight_bytes, takes});
  return most - std::min(most, in_flight_bytes);
}

void Progress::note_advance(Index match, Index received, std::uint64_t now_us) {
  if (match > match_index || received > received_index) advanced_us = now_us;
  received_index = std::max(received_index, received);
}

void Progress::received(Index index) {
  while (!in_flight.empty() && in_flight.front().last <= index) {
    const std::uint64_t bytes = in_flight.front().bytes;
    in_flight_bytes -= bytes;
    window_bytes += std::min(bytes, UINT64_MAX - window_bytes);
    in_flight.pop_front();
  }
}

}  // namespace zatt::raft
