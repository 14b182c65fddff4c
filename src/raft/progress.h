// SPDX-License-Identifier: AGPL-3.0-or-later
// What a leader knows of one follower's log, and what is on its way there.
//
// In state probe one AppendEntries is sent at a time, until the follower says where its log meets
// ours. In state replicate several are in flight, bounded in bytes, and next_index runs ahead of
// the answers. After a rejection or a loss one goes alone and each answer lets more follow: else
// every late rejection of what was in flight would be answered with a whole window, whose
// rejections are more.
#pragma once

#include <cstdint>
#include <deque>

#include "base/types.h"

namespace zatt::raft {

struct Progress {
  enum class State : std::uint8_t { probe, replicate };

  State state = State::probe;
  Index match_index{};  // durable there; only grows while the follower's process lives
  Index next_index{1};
  bool connected = false;
  BootId boot_id{};                    // of the follower's process: another one starts from nothing
  DiskSpace room = DiskSpace::enough;  // its disk
  std::uint64_t takes = UINT64_MAX;    // bytes after what it has received, as it said last
  Index received_index{};              // arrived there, and maybe not durable
  std::uint64_t advanced_us = 0;       // when it last had more than before
  std::uint64_t last_contact_us = 0;   // its last word in our term
  std::uint64_t round = 0;             // the last round of reads that it answered
  std::uint64_t resend_us = 0;         // how long an AppendEntries may go unanswered
  std::uint64_t fetch = 0;             // number of the fetch from disk under way, or 0

  // In probe: whether the one is out, and since when.
  bool probing = false;
  std::uint64_t probe_sent_us = 0;

  struct InFlight {
    Index last{};
    std::uint64_t bytes = 0;
    std::uint64_t sent_us = 0;
  };
  std::deque<InFlight> in_flight;
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t window_bytes = UINT64_MAX;  // what may be in flight, and one more

  void to_probe(Index next);
  void to_replicate(Index received);  // its log is ours up to `received`
  void rejected(Index next);          // or lost
  bool may_send(std::uint64_t max_in_flight_bytes) const {
    return in_flight_bytes <= window_bytes && in_flight_bytes < max_in_flight_bytes &&
           in_flight_bytes < takes;
  }
  // How many bytes more may be on their way.
  std::uint64_t room_in_flight(std::uint64_t max_in_flight_bytes) const;
  void sent(Index last, std::uint64_t bytes, std::uint64_t now_us);
  void received(Index index);  // everything up to index has arrived there
  // Whether it has more than it had, and when.
  void note_advance(Index match, Index received, std::uint64_t now_us);
};

}  // namespace zatt::raft
