// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/configuration.h"

#include <algorithm>

#include "base/bytes.h"

namespace zatt::raft {
namespace {

constexpr std::uint8_t voter_role = 1;
constexpr std::uint8_t outgoing_role = 2;
constexpr std::uint8_t learner_role = 4;

std::uint8_t roles_of(const Member& member) {
  return static_cast<std::uint8_t>((member.voter ? voter_role : 0) |
                                   (member.outgoing ? outgoing_role : 0) |
                                   (member.learner ? learner_role : 0));
}

// A member has a part, and a learner is no voter of the same half.
bool is_role(std::uint8_t roles) {
  const bool both = (roles & voter_role) != 0 && (roles & learner_role) != 0;
  return roles != 0 && roles <= (voter_role | outgoing_role | learner_role) && !both;
}

bool is_id(std::string_view id) {
  const auto is_allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  };
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), is_allowed);
}

// False where the member breaks a rule; `members` are those before it.
bool decode_member(Reader& in, std::vector<Member>& members) {
  Member member;
  member.server.id = in.bytes();
  member.server.incarnation = in.u64();
  member.address.host = in.bytes();
  member.address.port = in.u16();
  const std::uint8_t roles = in.u8();
  if (!in.ok() || !is_id(member.server.id) || !is_role(roles)) return false;
  if (!members.empty() && !(members.back().server < member.server)) return false;
  member.voter = (roles & voter_role) != 0;
  member.outgoing = (roles & outgoing_role) != 0;
  member.learner = (roles & learner_role) != 0;
  members.push_back(std::move(member));
  return true;
}

}  // namespace

bool Configuration::is_joint() const {
  return std::any_of(members.begin(), members.end(), [](const Member& m) { return m.outgoing; });
}

const Member* Configuration::find(const MemberId& server) const {
  for (const Member& member : members)
    if (member.server == server) return &member;
  return nullptr;
}

const Member* Configuration::find_id(std::string_view id) const {
  for (const Member& member : members)
    if (member.server.id == id) return &member;
  return nullptr;
}

bool Configuration::votes(const MemberId& server) const {
  const Member* member = find(server);
  return member != nullptr && (member->voter || member->outgoing);
}

void encode(const Configuration& configuration, std::string& out) {
  Writer writer(out);
  writer.u32(static_cast<std::uint32_t>(configuration.members.size()));
  for (const Member& member : configuration.members) {
    writer.bytes(member.server.id);
    writer.u64(member.server.incarnation);
    writer.bytes(member.address.host);
    writer.u16(member.address.port);
    writer.u8(roles_of(member));
  }
  writer.u32(static_cast<std::uint32_t>(configuration.removed.size()));
  for (const std::string& id : configuration.removed) writer.bytes(id);
}

std::optional<Configuration> decode_configuration(std::string_view bytes) {
  Reader in(bytes);
  Configuration configuration;
  // The counts are believed one element at a time: a damaged one allocates nothing.
  for (std::uint32_t left = in.u32(); left > 0; --left)
    if (!decode_member(in, configuration.members)) return std::nullopt;
  for (std::uint32_t left = in.u32(); left > 0; --left) {
    std::string id(in.bytes());
    if (!in.ok() || !is_id(id)) return std::nullopt;
    if (!configuration.removed.empty() && configuration.removed.back() >= id) return std::nullopt;
    configuration.removed.push_back(std::move(id));
  }
  if (!in.done()) return std::nullopt;
  return configuration;
}

}  // namespace zatt::raft
