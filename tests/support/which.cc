// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/support/which.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace zatt::test {
namespace {

constexpr const char* names[] = {
    "hello",          "refused",       "bootstrap_state", "pre_vote",
    "pre_vote_reply", "request_vote",  "vote_reply",      "append",
    "append_reply",   "heartbeat",     "heartbeat_reply", "timeout_now",
    "forward",        "forward_reply", "read_index",      "read_index_reply",
    "piece",
};
static_assert(std::size(names) == static_cast<std::size_t>(Kind::count_));

struct KindOf {
  Kind operator()(const raft::RequestVote& m) const {
    return m.pre_vote ? Kind::pre_vote : Kind::request_vote;
  }
  Kind operator()(const raft::VoteReply& m) const {
    return m.pre_vote ? Kind::pre_vote_reply : Kind::vote_reply;
  }
  Kind operator()(const raft::AppendEntries&) const { return Kind::append; }
  Kind operator()(const raft::AppendReply&) const { return Kind::append_reply; }
  Kind operator()(const raft::Heartbeat&) const { return Kind::heartbeat; }
  Kind operator()(const raft::HeartbeatReply&) const { return Kind::heartbeat_reply; }
  Kind operator()(const raft::TimeoutNow&) const { return Kind::timeout_now; }
};

}  // namespace

Kind kind_of(const raft::Message& message) { return std::visit(KindOf{}, message); }

const char* name_of(Kind kind) { return names[static_cast<std::size_t>(kind)]; }

std::optional<Kind> kind_named(std::string_view name) {
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (name == names[i]) return static_cast<Kind>(i);
  return std::nullopt;
}

bool is_meant(const Which& which, Kind kind, std::string_view from, std::string_view to,
              Term term) {
  return (!which.kind || *which.kind == kind) && (which.from.empty() || which.from == from) &&
         (which.to.empty() || which.to == to) && (!which.term || *which.term == term);
}

void Rules::add(Fate fate, Which which, std::uint64_t percent) {
  rules_.push_back({fate, std::move(which), percent});
}

void Rules::clear(const Which& which) {
  std::erase_if(rules_, [&](const Rule& r) { return which == Which{} || r.which == which; });
}

bool Rules::loses(Kind kind, std::string_view from, std::string_view to, Term term) {
  bool lost = false;
  for (Rule& rule : rules_) {
    if (!is_meant(rule.which, kind, from, to, term)) continue;
    if (rule.fate == Fate::drop)
      lost = lost || rule.percent == 100 || prng_.below(100) < rule.percent;
    else if (rule.fate == Fate::every_second)
      lost = ++rule.seen % 2 == 1 || lost;
  }
  return lost;
}

bool Rules::has(Fate fate, Kind kind, std::string_view from, std::string_view to, Term term) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    return rule.fate == fate && is_meant(rule.which, kind, from, to, term);
  });
}

}  // namespace zatt::test
