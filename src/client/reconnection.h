// SPDX-License-Identifier: AGPL-3.0-or-later
// When the next server is tried, and for how long none has answered.
//
// Each server is tried once without a pause; after a round in which none answered, they are left in
// peace for longer and longer.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "client/backoff.h"

namespace zatt::client {

class Reconnection {
 public:
  // limit_us: for how long a request waits for a server that answers; 0: as long as it may.
  Reconnection(std::uint64_t limit_us, Backoff& backoff)  // borrowed for its life
      : limit_us_(limit_us), backoff_(backoff) {}

  // A request was made while nothing waited, and no server has answered on this connection.
  void on_first_request(std::uint64_t now_us) { unreached_since_us_ = now_us; }
  // A connection ended, or could not be made, and there are so many servers. `answered`: it had
  // answered before.
  void on_failure(bool answered, std::uint32_t servers, std::uint64_t now_us);
  void on_answer();
  // What waited for a server has been given up.
  void on_given_up() { unreached_since_us_ = never_us; }

  bool may_connect(std::uint64_t now_us) const { return now_us >= retry_at_us_; }
  std::uint64_t retry_at_us() const { return retry_at_us_; }
  // When what waits is given up: no server has answered for so long.
  std::uint64_t give_up_at_us() const;
  // In a row, without an answer between.
  std::uint32_t failures() const { return failures_; }

 private:
  const std::uint64_t limit_us_;
  Backoff& backoff_;
  std::uint64_t retry_at_us_ = 0;
  std::uint64_t unreached_since_us_ = never_us;
  std::uint32_t failures_ = 0;
};

}  // namespace zatt::client
