// SPDX-License-Identifier: AGPL-3.0-or-later
// What a node answers, before a protocol has made bytes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/types.h"
#include "codec/request.h"
#include "kv/item.h"
#include "kv/machine.h"

namespace zatt::codec {

struct MemberStatus {
  std::string id;
  Address address;
  bool voter = false;
  bool connected = false;                    // itself: true
  std::optional<std::uint64_t> match_index;  // where the leader is asked
  std::string notice;                        // empty where all is well; "wiped: ..." and the like
};

struct NodeStatus {
  std::string node;
  std::string_view role;  // leader, follower, candidate, learner
  Term term{};
  std::optional<std::string> leader;
  Index commit{}, applied{}, last{}, snapshot{};
  std::vector<MemberStatus> members;
  std::uint64_t keys = 0;
  std::string_view version;
  std::uint64_t uptime_s = 0;
  std::string cluster;  // empty before there is one
  bool disk_is_full = false;
  std::string notice;  // what a person should know or do; empty where all is well
};

struct Done {};  // a ping, a barrier

// A write or a proposal was carried out: the state machine's reply, and where it is in the log.
struct Applied {
  std::string reply;
  Index index{};
};

// To a read. What these hold is borrowed from the dictionary: valid until its next apply or
// restore. `at` is the revision that was read.
struct Found {
  std::optional<kv::Item> item;
};
// A page's items together; one item may be longer.
inline constexpr std::size_t page_bytes = 1 << 20;
struct Page {
  kv::Machine::Cursor cursor;  // from here on, as many as the request wants
  std::uint64_t at = 0;
};
struct Counted {
  std::uint64_t count = 0;
  std::uint64_t at = 0;
};

using Response =
    std::variant<Done, Failure, Applied, Found, Page, Counted, std::unique_ptr<const NodeStatus>>;

}  // namespace zatt::codec
