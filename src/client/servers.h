// SPDX-License-Identifier: AGPL-3.0-or-later
// Whom a client can ask: those it was given, and the members that they name.
//
// Names were looked up when the client was made, and nothing looks them up later: of the members,
// only those count whose address is numbers, or is one that was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "client/reply.h"

namespace zatt::client {

// "host:port,host:port", "[::1]:5254"; a port left out is 5254. Code::invalid with a sentence.
Result<std::vector<Address>> parse_servers(std::string_view list);

class Servers {
 public:
  explicit Servers(std::vector<Address> given);

  // The one to try next, round and round.
  Address next();
  // Goes on from this one: next() is the one behind it.
  void pin(const Address& server);
  std::size_t size() const { return known_.size(); }

  // What `server` said of the cluster. False where it speaks for another cluster than the others
  // and is not one that was given: nobody may be led there by a member's stale address.
  bool learn(const Address& server, const Reply& status);
  // Where a member is, as far as it can be asked.
  std::optional<Address> find(std::string_view id) const;

  // next() is the one behind it. `why` is for a person.
  void failed(const Address& server, std::string why, std::uint64_t now_us);
  // "host:port: why; ..." of those that have not answered since they failed, or "". `tried` (or
  // nullptr) has not answered so far.
  std::string failures(const Address* tried = nullptr) const;
  bool has_failed_lately(const Address& server, std::uint64_t now_us) const;

 private:
  static constexpr std::uint64_t lately_us = 2'000'000;
  struct Known {
    Address address;
    std::string id;  // where a member says so
    bool given = false;
    std::uint64_t failed_us = never_us;
    std::string why;  // it failed; "": it has answered since
  };
  const Known* find(const Address& address) const;
  Known* find(const Address& address);
  void learn_member(const Member& member);

  std::vector<Known> known_;  // those given first
  std::size_t next_ = 0;
  std::string cluster_;
};

}  // namespace zatt::client
