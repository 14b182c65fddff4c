// SPDX-License-Identifier: AGPL-3.0-or-later
// Where the leader is looked for: at the server that another one names, and where none is known, at
// the next server, and after a round of them once there may have been an election.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/types.h"
#include "client/backoff.h"

namespace zatt::client {

class LeaderSearch {
 public:
  explicit LeaderSearch(Backoff& backoff) : backoff_(backoff) {}  // borrowed for its life

  // A new connection is made: nothing is known of what its server knows.
  void on_connecting();
  // The server knows a leader. `elsewhere`: where that is, if it is another that can be reached.
  // Returns whether to go there: not where one names the other, again and again.
  bool on_leader(std::optional<Address> elsewhere);
  // The server knows none; `text` (or "") says who says what of that. There are so many servers.
  void on_no_leader(std::string text, std::uint32_t servers, std::uint64_t now_us);
  // The look that look_again_at_us() asked for is taken.
  void on_look() { look_again_at_us_ = never_us; }

  // Of a server without a leader: when to ask again, or another. never_us: it is being asked.
  std::uint64_t look_again_at_us() const { return look_again_at_us_; }
  // Where the server that is left sends us, if anywhere.
  const std::optional<Address>& redirect_to() const { return redirect_to_; }
  // Whether the last server that was asked knew no leader, and what it said of that, or "".
  bool has_failed() const { return no_leader_count_ > 0; }
  const std::string& text() const { return text_; }

 private:
  static constexpr std::uint32_t most_hops = 3;
  static constexpr std::uint64_t longest_pause_us = 100'000;  // an election takes not much longer

  Backoff& backoff_;
  std::uint32_t hops_ = 0;             // in a row, after the leader
  std::uint32_t no_leader_count_ = 0;  // servers in a row that knew no leader
  std::uint64_t look_again_at_us_ = never_us;
  std::optional<Address> redirect_to_;
  std::string text_;
};

}  // namespace zatt::client
