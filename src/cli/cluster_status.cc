// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/cluster_status.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "base/types.h"
#include "json/parse_error.h"

namespace zatt::cli {
namespace {

constexpr std::size_t max_depth = 128;  // much more than any answer has

std::string string_in(json::Value value) {
  return value.type == json::Type::string ? json::unescaped(value.text) : "";
}

std::string address_in(json::Value value) {
  if (value.type != json::Type::array) return "";
  json::Iterator parts(value);
  const auto host = parts.next();
  const auto port = parts.next();
  if (!host || !port || parts.next()) return "";
  return to_string(
      Address{string_in(host->value), to_number<std::uint16_t>(port->value.text).value_or(0)});
}

MemberView to_member(const json::Iterator::Item& row) {
  MemberView member;
  member.id = json::unescaped(row.name);
  json::Iterator fields(row.value);
  while (const auto field = fields.next()) {
    const json::Value value = field->value;
    if (field->name == "\"address\"") member.address = address_in(value);
    if (field->name == "\"voter\"") member.voter = value.text == "true";
    if (field->name == "\"connected\"") member.connected = value.text == "true";
    if (field->name == "\"match_index\"") member.match_index = json::as_uint64(value);
    if (field->name == "\"notice\"") member.notice = string_in(value);
  }
  return member;
}

std::vector<MemberView> to_members(json::Value value) {
  std::vector<MemberView> members;
  if (value.type != json::Type::object) return members;
  json::Iterator rows(value);
  while (const auto row = rows.next())
    if (row->value.type == json::Type::object) members.push_back(to_member(*row));
  return members;
}

void take(const json::Field& field, Answer& answer) {
  constexpr std::pair<std::string_view, std::string Answer::*> strings[] = {
      {"node", &Answer::node},       {"role", &Answer::role},       {"leader", &Answer::leader},
      {"version", &Answer::version}, {"cluster", &Answer::cluster}, {"notice", &Answer::notice}};
  constexpr std::pair<std::string_view, std::uint64_t Answer::*> numbers[] = {
      {"term", &Answer::term},
      {"commit", &Answer::commit},
      {"last", &Answer::last},
      {"keys", &Answer::keys},
      {"uptime_s", &Answer::uptime_s}};
  for (const auto& [name, member] : strings)
    if (field.name == name) answer.*member = string_in(field.value);
  for (const auto& [name, member] : numbers)
    if (field.name == name) answer.*member = json::as_uint64(field.value).value_or(0);
  if (field.name == "members") answer.members = to_members(field.value);
  if (field.name == "disk") answer.disk_is_full = string_in(field.value) == "full";
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

// A server that answers, but is not a member of the cluster that the best one belongs to.
Row row_of_non_member(const Asked& asked, const Answer& best) {
  Row row;
  row.id = asked.answer->node;
  row.address = asked.address;
  row.member = false;
  row.answer = &*asked.answer;
  row.leads = asked.answer->role == "leader";
  const std::string& cluster = asked.answer->cluster;
  add_notice(row, cluster == best.cluster ? "it is not a member of this cluster"
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
  Answer answer;
  bool is_ok = false;
  const json::ParseError fault = json::diagnose(line, max_depth, [&](const json::Field& field) {
    if (field.name == "ok") is_ok = field.value.text == "true";
    take(field, answer);
  });
  if (!fault.what.empty() || !is_ok || answer.node.empty()) return std::nullopt;
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
