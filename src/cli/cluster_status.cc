// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/cluster_status.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "cli/json.h"

namespace zatt::cli {
namespace {

std::string string_in(const std::vector<Field>& fields, std::string_view name) {
  return characters_of(text_of(fields, name)).value_or("");
}
std::uint64_t number_in(const std::vector<Field>& fields, std::string_view name) {
  return to_number<std::uint64_t>(text_of(fields, name)).value_or(0);
}

std::string address_in(const std::vector<Field>& fields) {
  const auto parts = elements_of(text_of(fields, "address"));
  if (!parts || parts->size() != 2) return "";
  const std::string host = characters_of((*parts)[0]).value_or("");
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::string((*parts)[1]);
}

std::vector<MemberView> to_members(std::string_view text) {
  std::vector<MemberView> members;
  const auto rows = fields_of(text);
  if (!rows) return members;
  for (const Field& row : *rows) {
    const auto fields = fields_of(row.text);
    if (!fields) continue;
    MemberView& member = members.emplace_back();
    member.id = row.name;
    member.address = address_in(*fields);
    member.voter = text_of(*fields, "voter") == "true";
    member.connected = text_of(*fields, "connected") == "true";
    if (const auto match = to_number<std::uint64_t>(text_of(*fields, "match_index")))
      member.match_index = *match;
    member.notice = string_in(*fields, "notice");
  }
  return members;
}

// Whose picture of the members counts: of the cluster that was asked for first, who knows most.
const Answer* best_of(const std::vector<Asked>& asked) {
  std::string_view cluster;
  for (const Asked& each : asked)
    if (cluster.empty() && each.answer) cluster = each.answer->cluster;
  const auto rank = [](const Answer& answer) {
    // A learner does not miss a leader that is silent: voters know more.
    return std::tuple(answer.term, answer.role == "leader", answer.role != "learner",
                      !answer.leader.empty(), answer.commit);
  };
  const Answer* best = nullptr;
  for (const Asked& each : asked) {
    if (!each.answer || each.answer->cluster != cluster) continue;
    if (best == nullptr || rank(*each.answer) > rank(*best)) best = &*each.answer;
  }
  return best;
}

// Whoever was asked as this member: by the name it gives itself, else by address.
const Asked* find(const std::vector<Asked>& asked, const MemberView& member,
                  const std::string& cluster) {
  for (const Asked& each : asked)
    if (each.answer && each.answer->node == member.id && each.answer->cluster == cluster)
      return &each;
  for (const Asked& each : asked)
    if (each.address == member.address) return &each;
  return nullptr;
}

void add_notice(Row& row, const std::string& notice) {
  if (!notice.empty() &&
      std::find(row.notices.begin(), row.notices.end(), notice) == row.notices.end())
    row.notices.push_back(notice);
}

Row to_row(const MemberView& member, const std::vector<Asked>& asked, const Answer& best) {
  Row row;
  row.id = member.id;
  row.address = member.address;
  row.voter = member.voter;
  row.leads = best.leader == member.id;
  const Asked* const found = find(asked, member, best.cluster);
  const bool is_it = found != nullptr && found->answer && found->answer->node == member.id &&
                     found->answer->cluster == best.cluster;
  if (is_it) {
    row.answer = &*found->answer;
    add_notice(row, row.answer->notice);
    if (row.notices.empty()) add_notice(row, member.notice);
  } else {
    row.why = found == nullptr ? "not asked"
              : !found->answer ? found->why
              : found->answer->cluster != best.cluster
                  ? "another cluster answers there"
                  : "node " + found->answer->node + " answers there";
    if (member.connected && best.node != member.id)
      row.why += "; node " + best.node + " is connected to it";
    add_notice(row, member.notice);
  }
  if (best.role == "leader" && member.match_index) {
    // What an emptied directory has again is not counted for the member: it says so itself.
    const bool is_emptied = is_it && row.answer->role == "learner";
    const std::uint64_t has = std::max(*member.match_index, is_emptied ? row.answer->last : 0);
    row.lag = best.last - std::min(best.last, has);
  }
  return row;
}

// A server that answers, but is no member of what the best one belongs to.
Row row_of_non_member(const Asked& asked, const Answer& best) {
  Row row;
  row.id = asked.answer->node;
  row.address = asked.address;
  row.member = false;
  row.answer = &*asked.answer;
  row.leads = asked.answer->role == "leader";
  const std::string& cluster = asked.answer->cluster;
  add_notice(row, cluster == best.cluster ? "it is no member of this cluster"
                  : cluster.empty()       ? "it is in no cluster yet"
                                          : "it belongs to another cluster, " + cluster);
  add_notice(row, asked.answer->notice);
  return row;
}

// Whoever was asked there gave no answer, and nobody names it as a member.
Row to_silent(const Asked& asked) {
  Row row;
  row.address = asked.address;
  row.member = false;
  row.why = asked.why;
  return row;
}

// Under another name the same process answers the same.
bool is_same(const Answer& a, const Answer& b) {
  return &a == &b || (a.node == b.node && a.cluster == b.cluster && a.uptime_s <= b.uptime_s + 1 &&
                      b.uptime_s <= a.uptime_s + 1);
}

// A member whose directory was emptied answers, but does not count.
bool votes_here(const Row& row) {
  return row.voter && row.answer != nullptr && row.answer->role != "learner";
}

bool has_quorum(const ClusterStatus& status, const Answer& best) {
  if (best.leader.empty()) return false;
  const auto is_there = [&best](const Row& row) {
    if (row.answer != nullptr) return votes_here(row);
    return std::any_of(best.members.begin(), best.members.end(), [&row](const MemberView& member) {
      return member.id == row.id && member.connected;
    });
  };
  std::size_t there = 0;
  bool leader_there = false;
  for (const Row& row : status.rows) {
    if (!row.member || !is_there(row)) continue;
    if (row.voter) ++there;
    if (row.leads) leader_there = true;
  }
  return leader_there && 2 * there > status.voters;
}

}  // namespace

std::optional<Answer> to_answer(std::string_view line) {
  const auto fields = fields_of(line);
  if (!fields || text_of(*fields, "ok") != "true") return std::nullopt;
  Answer answer;
  answer.node = string_in(*fields, "node");
  answer.role = string_in(*fields, "role");
  answer.term = number_in(*fields, "term");
  answer.leader = string_in(*fields, "leader");
  answer.commit = number_in(*fields, "commit");
  answer.last = number_in(*fields, "last");
  answer.members = to_members(text_of(*fields, "members"));
  answer.keys = number_in(*fields, "keys");
  answer.version = string_in(*fields, "version");
  answer.uptime_s = number_in(*fields, "uptime_s");
  answer.cluster = string_in(*fields, "cluster");
  answer.notice = string_in(*fields, "notice");
  answer.disk_is_full = string_in(*fields, "disk") == "full";
  if (answer.node.empty()) return std::nullopt;
  return answer;
}

bool is_troubled(const Row& row) { return row.answer == nullptr || !row.notices.empty(); }

std::string_view state_of(const ClusterStatus& status) {
  return !status.quorum ? "down" : status.whole ? "ok" : "degraded";
}

ClusterStatus cluster_status_of(const std::vector<Asked>& asked) {
  ClusterStatus status;
  const Answer* const best = best_of(asked);
  if (best != nullptr) {
    status.cluster = best->cluster;
    status.leader = best->leader;
    status.term = best->term;
    status.keys = best->keys;
    for (const MemberView& member : best->members)
      status.rows.push_back(to_row(member, asked, *best));
  }
  for (const Asked& each : asked) {
    const bool has_row =
        std::any_of(status.rows.begin(), status.rows.end(), [&each](const Row& row) {
          return each.answer ? row.answer != nullptr && is_same(*row.answer, *each.answer)
                             : row.address == each.address;
        });
    if (has_row) continue;
    if (each.answer)
      status.rows.push_back(row_of_non_member(each, *best));
    else
      status.rows.push_back(to_silent(each));
  }
  for (const Row& row : status.rows) {
    if (!row.voter) continue;
    ++status.voters;
    if (votes_here(row)) ++status.reached;
  }
  if (best != nullptr) status.quorum = has_quorum(status, *best);
  status.whole = status.quorum && std::none_of(status.rows.begin(), status.rows.end(), is_troubled);
  return status;
}

bool can_take_writes(const ClusterStatus& status) {
  const auto has_room = [](const Row& row) { return votes_here(row) && !row.answer->disk_is_full; };
  const auto with_room = std::count_if(status.rows.begin(), status.rows.end(), has_room);
  return 2 * static_cast<std::size_t>(with_room) > status.voters;
}

std::vector<std::string> not_asked_yet(const std::vector<Asked>& asked) {
  std::vector<std::string> addresses;
  for (const Asked& teller : asked) {
    if (!teller.answer) continue;
    for (const MemberView& member : teller.answer->members) {
      const bool known = std::any_of(asked.begin(), asked.end(), [&](const Asked& each) {
        return each.address == member.address || (each.answer && each.answer->node == member.id &&
                                                  each.answer->cluster == teller.answer->cluster);
      });
      const bool listed =
          std::find(addresses.begin(), addresses.end(), member.address) != addresses.end();
      if (!known && !listed && !member.address.empty()) addresses.push_back(member.address);
    }
  }
  return addresses;
}

}  // namespace zatt::cli
