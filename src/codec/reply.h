// SPDX-License-Identifier: AGPL-3.0-or-later
// Replies as lines: every field in the protocol's order, no spaces, a newline at the end.
//
// Each function appends one whole line to `out`. `id` is the JSON text from the request, or empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "codec/error_code.h"
#include "kv/machine.h"
#include "kv/reply.h"

namespace zatt::codec {

void write_error(std::string& out, std::string_view id, ErrorCode code, std::string_view message);
void write_ping(std::string& out, std::string_view id);
void write_get(std::string& out, std::string_view id, const std::optional<kv::Item>& item,
               bool stale);
void write_count(std::string& out, std::string_view id, std::uint64_t count, std::uint64_t at,
                 bool stale);
// A page from `cursor` on: at most `limit` items, ended early, with `more`, before it passes 1 MiB.
void write_scan(std::string& out, std::string_view id, kv::Machine::Cursor cursor,
                std::uint32_t limit, bool keys_only, std::uint64_t at, bool stale);
void write_set(std::string& out, std::string_view id, const kv::Reply& reply);
void write_delete(std::string& out, std::string_view id, const kv::Reply& reply);
void write_incr(std::string& out, std::string_view id, const kv::Reply& reply);

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
  std::string cluster;        // empty before there is one: written as ""
  bool disk_is_full = false;  // written where it is
  std::string notice;         // what a person should know or do; left out where empty
};
// match_index, connected, disk and notice stand behind the protocol's own fields.
void write_status(std::string& out, std::string_view id, const NodeStatus& status);

}  // namespace zatt::codec
