// SPDX-License-Identifier: AGPL-3.0-or-later
// Which requests of a client may be under way together, and what is handed on when.
#include "node/dispatcher.h"

#include <doctest/doctest.h>

#include <string>

#include "node/bootstrapper.h"
#include "tests/node/parts.h"

namespace zatt::node {
namespace {

using test::Parts;
using State = PendingRequest::State;

const std::string set_a = R"({"op":"set","key":"a","value":1})";
const std::string get_a = R"({"op":"get","key":"a"})";

struct Fixture : Parts {
  PeerTable peers{options, env};
  Bootstrapper bootstrapper{options, env, *raft, *persister, connections};
  StatusReporter status{{options, env, *raft, *persister, connections, peers, bootstrapper}};
  WriteTracker writes{options, env, *raft, *persister, connections, clients};
  ReadTracker reads{options, *raft, connections, clients};
  Dispatcher dispatcher{
      {options, env, *raft, *persister, connections, peers, status, clients, writes, reads}};

  PendingRequest& admit(const std::string& line, ClientId client = ClientId{1}) {
    PendingRequest& pending = request(line, client);
    dispatcher.admit(*clients.find(client), pending);
    return pending;
  }
};

}  // namespace

TEST_CASE("dispatcher: writes go together, and a write waits for the read before it") {
  Fixture f;
  f.lead_alone();
  PendingRequest& first = f.admit(set_a);
  PendingRequest& second = f.admit(set_a);
  CHECK(first.state == State::writing);
  CHECK(second.state == State::writing);
  PendingRequest& read = f.admit(get_a);
  CHECK(read.state == State::reading);  // it asks for the log's end, and sees both
  PendingRequest& late = f.admit(set_a);
  CHECK(late.state == State::waiting);
  PendingRequest& other = f.admit(set_a, ClientId{2});  // another client's
  CHECK(other.state == State::writing);
  f.clients.finish(read, codec::Done{});
  f.dispatcher.dispatch_waiting();
  CHECK(late.state == State::writing);
}

TEST_CASE("dispatcher: without a leader all waits, and is refused when its time is up") {
  Fixture f;
  PendingRequest& pending = f.admit(set_a);
  CHECK(pending.state == State::waiting);
  f.env.now += 6'000'000;
  f.dispatcher.expire();
  const auto replies = f.replies();
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].find("no_leader") != std::string::npos);
}

TEST_CASE("dispatcher: a write whose time is up is unknown, and the next read settles it") {
  Fixture f;
  f.lead_alone();
  f.admit(set_a);
  f.env.now += 6'000'000;
  f.dispatcher.expire();
  const auto replies = f.replies();
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].find("outcome_unknown") != std::string::npos);
  CHECK(f.clients.find(ClientId{1})->unsettled);
  f.admit(get_a);
  const auto asked = f.reads.ask();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].term == f.raft->current_term());
  REQUIRE(asked[0].reads.size() == 1);
  CHECK(asked[0].reads[0].to_log_end);
}

TEST_CASE("dispatcher: nothing is handed to a leader that said it is none") {
  Fixture f;
  f.lead_alone();
  f.dispatcher.reject({LinkId::none, f.raft->current_term()});
  // Of oneself it is known better.
  CHECK(f.admit(set_a).state == State::writing);
}

TEST_CASE("dispatcher: a node that stops refuses what waits and what comes") {
  Fixture f;
  f.admit(set_a);
  f.clients.refuse_waiting();
  f.admit(set_a);
  const auto replies = f.replies();
  REQUIRE(replies.size() == 2);
  for (const std::string& reply : replies) CHECK(reply.find("shutting_down") != std::string::npos);
}

}  // namespace zatt::node
