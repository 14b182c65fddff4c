// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/invariants.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "tests/raft/one_server.h"

namespace zatt::raft {
namespace {

const std::optional<MemberId> nobody, one = peer("1"), two = peer("2");

// A leader of term 5 that voted for itself, with entries up to 9, of which 7 are durable.
CoreState leader() {
  return {&*one, Term{5}, &one, true, Index{3}, Index{6}, Index{7}, Index{9}, Term{5}};
}

std::string text(const char* broken) { return broken == nullptr ? "" : broken; }

Output with(const MemberId& to, const Message& message) {
  Output output;
  output.messages.push_back({to, message});
  return output;
}

}  // namespace

TEST_CASE("invariants: what a step may not do") {
  CHECK(broken_by_step(leader(), leader()) == nullptr);
  struct Row {
    const char* broken;
    std::function<void(CoreState&)> change;
  };
  const Row rows[] = {
      {"current_term never sinks", [](CoreState& s) { s.current_term = Term{4}; }},
      {"a vote is given once a term", [](CoreState& s) { s.voted_for = &two; }},
      {"a vote is given once a term", [](CoreState& s) { s.voted_for = &nobody; }},
      {"commit_index never sinks", [](CoreState& s) { s.commit_index = Index{5}; }},
      {"commit_index is in the log", [](CoreState& s) { s.commit_index = Index{10}; }},
      {"nothing is applied before it is committed",
       [](CoreState& s) { s.applied_index = Index{7}; }},
      {"durable_index is in the log", [](CoreState& s) { s.durable_index = Index{10}; }},
      {"no entry is of a later term than current_term",
       [](CoreState& s) { s.last_term = Term{6}; }},
      {"a leader only appends to its log", [](CoreState& s) { s.last_index = Index{8}; }},
  };
  for (const Row& row : rows) {
    CoreState now = leader();
    row.change(now);
    CHECK(text(broken_by_step(leader(), now)) == row.broken);
  }
}

TEST_CASE("invariants: a later term brings another vote, and a follower may lose entries") {
  CoreState now = leader();
  now.current_term = Term{6};
  now.voted_for = &two;
  now.is_leader = false;
  now.last_index = Index{8};
  CHECK(broken_by_step(leader(), now) == nullptr);
}

TEST_CASE("invariants: what is written") {
  const auto writing = [](std::vector<EntryView> append) {
    Output output;
    output.write = WriteNumber{4};
    output.append = std::move(append);
    return output;
  };
  CHECK(broken_by_output(leader(), leader(), writing({command(8, 5), command(9, 5)})) == nullptr);
  CHECK(broken_by_output(leader(), leader(), writing({command(8, 4), command(9, 5)})) == nullptr);
  CHECK(text(broken_by_output(leader(), leader(), writing({command(7, 5), command(9, 5)}))) ==
        "entries are appended without a gap");
  CHECK(text(broken_by_output(leader(), leader(), writing({command(8, 6), command(9, 5)}))) ==
        "terms do not sink along the log");
  CHECK(text(broken_by_output(leader(), leader(), writing({command(8, 5)}))) ==
        "what is appended is written to the log's end");
  CHECK(text(broken_by_output(leader(), leader(), writing({}))) ==
        "a write has a number, and only a write");
  Output truncating;
  truncating.truncate = Index{6};
  CHECK(text(broken_by_output(leader(), leader(), truncating)) ==
        "a write has a number, and only a write");
  truncating.write = WriteNumber{4};
  CHECK(broken_by_output(leader(), leader(), truncating) == nullptr);
  truncating.truncate = Index{5};
  CHECK(text(broken_by_output(leader(), leader(), truncating)) == "nothing committed is truncated");
}

TEST_CASE("invariants: what is said") {
  const std::string unkept = "what is said rests on what is durable: votes, and entries stored";
  CoreState follower = leader();
  follower.is_leader = false;
  follower.voted_for = &two;
  CoreState earlier = follower;
  earlier.current_term = Term{4};
  const auto said = [](const CoreState& now, const Message& message) {
    return text(broken_by_output(now, now, with(peer("2"), message)));
  };

  CHECK(said(follower, VoteReply{Term{5}, true, false}) == "");
  CHECK(text(broken_by_output(follower, follower,
                              with(peer("3"), VoteReply{Term{5}, true, false}))) == unkept);
  CHECK(text(broken_by_output(follower, follower,
                              with(peer("3"), VoteReply{Term{5}, false, false}))) == "");
  const auto said_at_once = [&](const Message& message) {
    return text(broken_by_output(earlier, follower, with(peer("2"), message)));
  };
  CHECK(said_at_once(VoteReply{Term{5}, true, false}) == "a term is spoken in once it is durable");
  CHECK(said_at_once(VoteReply{Term{6}, true, true}) == "");  // of a term that nobody is in yet
  CHECK(said(follower, VoteReply{Term{6}, false, false}) ==
        "nobody speaks in a term that it is not in");

  CHECK(said(leader(), vote(5)) == "");
  CHECK(said(follower, vote(5)) == unkept);
  CHECK(said(follower, pre_vote(6)) == "");

  AppendReply stored;
  stored.term = Term{5};
  stored.success = true;
  stored.match_index = Index{7};
  CHECK(said(follower, stored) == "");
  stored.match_index = Index{8};
  CHECK(said(follower, stored) == unkept);
  CHECK(said(follower, HeartbeatReply{Term{5}, 0, Index{7}, Index{9}, {}}) == "");
  CHECK(said(follower, HeartbeatReply{Term{5}, 0, Index{8}, Index{9}, {}}) == unkept);
}

TEST_CASE("invariants: what a leader believes of its followers") {
  Leader role;
  Progress& progress = role.progress[peer("2")];
  progress.match_index = Index{9};
  progress.next_index = Index{10};
  CHECK(broken_by_progress(leader(), role) == nullptr);
  progress.next_index = Index{9};
  CHECK(text(broken_by_progress(leader(), role)) == "next_index is above match_index");
  progress.match_index = Index{10};
  progress.next_index = Index{11};
  CHECK(text(broken_by_progress(leader(), role)) == "a follower's match_index is in the log");
  role.progress.clear();
  role.progress[peer("1")];
  CHECK(text(broken_by_progress(leader(), role)) == "a leader is no follower of its own");
}

}  // namespace zatt::raft
