// SPDX-License-Identifier: AGPL-3.0-or-later
// Forwards: how much is under way to a leader, and what tells their outcomes.
#include "node/forwards.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/node/protocol_text.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::Forward;
using codec::ForwardReply;
using test::applied;
using test::get;
using test::is_error;
using test::Lines;
using test::NodeFixture;
using test::Peer;
using test::set;
using test::set_command;
using What = ForwardReply::What;

const std::string large(1'000'000, 'x');

std::string set_large(std::string_view more = "") {
  return R"({"op":"set","key":"k","value":")" + large + "\"" + std::string(more) + "}";
}
ForwardReply proposed(const Forward& forward, Index index, std::uint32_t count = 1) {
  return {forward.number, What::proposed, {}, index, count};
}

// A follower of node 0, with a large value under "k".
struct Follower : NodeFixture {
  Follower() : NodeFixture("1") {
    follow("0");
    leader_appends({set_command("k", '"' + large + '"')});
  }
  Peer& leader() { return peer("0"); }

  // A client's write, handed on.
  Forward forward(ClientId id, const std::string& text) {
    line(id, text);
    settle();
    const auto forward = leader().take<Forward>();
    REQUIRE(forward.has_value());
    return *forward;
  }
  // One that fails, and is answered with the whole value.
  Forward forward_failing(ClientId id) { return forward(id, set("k", 1, R"(,"if":{"rev":1})")); }
  bool is_sent() { return leader().take<Forward>().has_value(); }
};

bool is_refused_with_the_value(const Lines& replies) {
  return replies.size() == 1 && is_error(replies[0], "condition_failed", large);
}

}  // namespace

// --- what tells the outcome ----------------------------------------------------------------------

TEST_CASE("forwards: what is proposed under a known index is answered by what is applied here") {
  Follower f;
  const ClientId c = f.client();
  const Forward forward = f.forward_failing(c);
  f.leader().say(proposed(forward, f.leader_last + 1));
  f.leader_appends({std::string(forward.command)}, false);
  SUBCASE("as soon as it is applied") {
    CHECK(f.replies(c).empty());
    f.leader().say(raft::Heartbeat{Term{1}, f.leader_last, 0});
    CHECK(is_refused_with_the_value(f.replies(c)));
    f.leader().say(ForwardReply{forward.number, What::applied, {}, f.leader_last});
    CHECK(f.replies(c).empty());
  }
  SUBCASE("or when the leader says that it is decided: that commits it here") {
    f.leader().say(ForwardReply{forward.number, What::applied, {}, f.leader_last});
    CHECK(is_refused_with_the_value(f.replies(c)));
  }
  SUBCASE("or by the result, where that comes first") {
    f.leader().say(ForwardReply{forward.number, What::result, applied(4), f.leader_last});
    CHECK(f.replies(c) == Lines{R"({"ok":true,"rev":4})"});
    f.leader().say(raft::Heartbeat{Term{1}, f.leader_last, 0});
    CHECK(f.replies(c).empty());
  }
}

TEST_CASE("forwards: decided, and not proposed as far as was heard: the index is told then, too") {
  Follower f;
  const ClientId c = f.client();
  const Forward forward = f.forward_failing(c);
  f.leader().say(ForwardReply{forward.number, What::applied, {}, f.leader_last + 1});
  CHECK(f.replies(c).empty());  // it is not here
  f.leader_appends({std::string(forward.command)});
  CHECK(is_refused_with_the_value(f.replies(c)));
}

TEST_CASE("forwards: applied before anybody said whose it is, the outcome is unknown") {
  Follower f;
  const ClientId c = f.client();
  const Forward forward = f.forward_failing(c);
  f.leader_appends({std::string(forward.command)});
  f.leader().say(proposed(forward, f.leader_last));
  CHECK(f.replies(c).empty());  // the result may still be sent
  SUBCASE("it is") {
    f.leader().say(ForwardReply{forward.number, What::result, applied(4), f.leader_last});
    CHECK(f.replies(c) == Lines{R"({"ok":true,"rev":4})"});
  }
  SUBCASE("it is not") {
    f.leader().say(ForwardReply{forward.number, What::applied, {}, f.leader_last});
    CHECK(is_error(f.replies(c).at(0), "outcome_unknown", "its result is not known here"));
  }
}

TEST_CASE("forwards: many are told of at once") {
  Follower f;
  const ClientId c = f.client();
  for (int i = 1; i <= 3; ++i) f.line(c, set("a", i));
  f.settle();
  const auto forwards = f.leader().take_all<Forward>();
  REQUIRE(forwards.size() == 3);
  f.leader().say(proposed(forwards[0], f.leader_last + 1, 3));
  const std::uint64_t rev = raw(f.leader_last);
  std::vector<std::string> commands;
  for (const Forward& forward : forwards) commands.emplace_back(forward.command);
  f.leader_appends(commands);
  Lines expected;
  for (std::uint64_t i = 1; i <= 3; ++i)
    expected.push_back(R"({"ok":true,"rev":)" + std::to_string(rev + i) + "}");
  CHECK(f.replies(c) == expected);
}

TEST_CASE("forwards: replaced at its index, or passed by a later term, it was never written") {
  Follower f;
  const ClientId c = f.client(), d = f.client();
  const Forward first = f.forward_failing(c), second = f.forward_failing(d);
  f.leader().say(proposed(first, f.leader_last + 1));
  f.leader().say(proposed(second, f.leader_last + 2));
  f.leader().disconnect();
  CHECK(f.replies(c).empty());  // the log will tell
  CHECK(f.replies(d).empty());
  const std::string same(first.command);
  raft::AppendEntries append{Term{2}, f.leader_last, Term{1}, f.leader_last + 1, {}};
  append.entries.push_back({f.leader_last + 1, Term{2}, 0, EntryKind::command, same});
  f.peer("2").say(append);
  for (const ClientId client : {c, d})
    CHECK(is_error(f.replies(client).at(0), "no_leader", "nothing was written"));
}

TEST_CASE("forwards: once its index is known, the end of the connection leaves nothing unknown") {
  Follower f;
  const ClientId c = f.client();
  const Forward forward = f.forward_failing(c);
  f.leader().say(proposed(forward, f.leader_last + 1));
  f.leader_appends({std::string(forward.command)}, false);
  f.leader().disconnect();
  CHECK(f.replies(c).empty());
  SUBCASE("the next leader commits it") {
    raft::AppendEntries append{Term{2}, f.leader_last, Term{1}, f.leader_last + 1, {}};
    append.entries.push_back({f.leader_last + 1, Term{2}, 0, EntryKind::noop, ""});
    f.peer("2").say(append);
    CHECK(is_refused_with_the_value(f.replies(c)));
  }
  SUBCASE("nobody does in time") {
    f.fall_silent();
    f.pass_ms(6000);
    CHECK(is_error(f.replies(c).at(0), "outcome_unknown"));
  }
}

TEST_CASE("forwards: a node whose disk takes no entries asks for any result") {
  Follower f;
  f.disk->limit_space(0);
  for (int i = 0; i < 20 && f.node->raft().room() == DiskSpace::enough; ++i) {
    f.leader_appends({set_command("k", '"' + large + '"')});
    f.settle();
  }
  REQUIRE(f.node->raft().room() != DiskSpace::enough);
  const ClientId c = f.client();
  const Forward forward = f.forward_failing(c);
  CHECK(forward.any_result);
  f.leader().say(ForwardReply{forward.number, What::result, applied(4), Index{9}});
  CHECK(f.replies(c) == Lines{R"({"ok":true,"rev":4})"});
}

// --- credit --------------------------------------------------------------------------------------

TEST_CASE("forwards: without credit a write waits, and goes when another is decided") {
  Follower f;
  const ClientId c = f.client(), d = f.client(), e = f.client();
  const Forward first = f.forward(c, set_large());
  f.forward(d, set_large());  // it passes the bound: only what follows waits
  f.line(e, set_large());
  f.settle();
  CHECK_FALSE(f.is_sent());
  CHECK(f.replies(e).empty());
  SUBCASE("by its result") {
    f.leader().say(ForwardReply{first.number, What::result, applied(4), f.leader_last + 1});
    CHECK(f.is_sent());
  }
  SUBCASE("by its refusal") {
    f.leader().say(ForwardReply{first.number, What::overloaded, {}});
    CHECK(f.is_sent());
  }
  SUBCASE("by what is applied here") {
    f.leader().say(proposed(first, f.leader_last + 1));
    CHECK_FALSE(f.is_sent());  // it is not decided
    f.leader_appends({std::string(first.command)});
    f.settle();
    CHECK(f.is_sent());
  }
  SUBCASE("or when the leader gives more") {
    f.leader().say(ForwardReply{0, What::proposed, {}, {}, 0, 8 << 20});
    f.settle();
    CHECK(f.is_sent());
  }
  SUBCASE("or to another leader") {
    f.follow("2", 2);
    f.settle();
    CHECK(f.peer("2").take<Forward>().has_value());
  }
}

TEST_CASE(
    "forwards: where more waits for credit than is decided in time, more is refused at once") {
  Follower f;
  const ClientId c = f.client();
  const Forward first = f.forward(c, set_large());
  f.forward(c, set_large());
  f.pass_ms(900);
  const Index index = f.leader_last + 1;
  f.leader().say(ForwardReply{first.number, What::result, applied(4), index, 1, 1 << 20});
  static_cast<void>(f.replies(c));
  std::size_t refused = 0, waiting = 0;
  for (int i = 0; i < 20; ++i) {
    const ClientId d = f.client();
    f.line(d, set_large());
    f.settle();
    const Lines said = f.replies(d);
    ++(said.empty() ? waiting : refused);
    for (const std::string& line : said) CHECK(is_error(line, "overloaded"));
  }
  CHECK(std::min(waiting, refused) >= 4);  // they have 5 s
  CHECK(f.leader().take_all<Forward>().size() <= 1);
  CHECK(f.replies(c).empty());
}

TEST_CASE("forwards: what waited too long was not written, and is never sent") {
  Follower f;
  const ClientId c = f.client(), d = f.client();
  const Forward first = f.forward(c, set_large());
  f.forward(c, set_large());
  f.line(d, set_large(R"(,"timeout_ms":100)"));
  f.settle();
  f.pass_ms(150);
  CHECK(is_error(f.replies(d).at(0), "overloaded", "nothing was written"));
  f.leader().say(ForwardReply{first.number, What::result, applied(4), f.leader_last + 1});
  f.settle();
  CHECK_FALSE(f.is_sent());
}

TEST_CASE("forwards: what has waited so long that it would be late is refused, and not sent") {
  Follower f;
  const ClientId c = f.client(), d = f.client(), e = f.client();
  f.forward(c, set_large());
  f.forward(c, set_large());
  f.line(d, set_large(R"(,"timeout_ms":1000)"));
  f.line(e, set_large(R"(,"timeout_ms":3000)"));
  f.settle();
  f.pass_ms(600);
  // Those before it have taken 600 ms, which is more than it has left.
  f.leader().say(ForwardReply{0, What::proposed, {}, {}, 0, 8 << 20});
  f.settle();
  CHECK(is_error(f.replies(d).at(0), "overloaded", "nothing was written"));
  CHECK(f.replies(e).empty());
  CHECK(f.leader().take_all<Forward>().size() == 1);
}

TEST_CASE("forwards: the order of a client's requests is kept while a write waits") {
  Follower f;
  const ClientId c = f.client(), d = f.client();
  const Forward first = f.forward(d, set_large());
  f.forward(d, set_large());
  f.line(c, set_large());
  f.line(c, get("k"));
  f.line(c, set("a", 1));
  f.settle();
  CHECK_FALSE(f.is_sent());
  CHECK_FALSE(f.leader().take<codec::ReadIndex>().has_value());
  f.leader().say(ForwardReply{first.number, What::result, applied(4), f.leader_last + 1});
  f.settle();
  CHECK(f.is_sent());
  CHECK(f.leader().take<codec::ReadIndex>()->to_log_end);  // behind the write that it has to see
  CHECK_FALSE(f.is_sent());                                // which the next write must not overtake
}

TEST_CASE("forwards: clients take turns") {
  Follower f;
  const ClientId hog = f.client(), other = f.client();
  std::vector<Forward> sent{f.forward(hog, set_large()), f.forward(hog, set_large())};
  for (int i = 0; i < 3; ++i) f.line(hog, set_large());
  f.line(other, set("a", 1));
  f.settle();
  std::vector<bool> is_large;
  for (std::size_t i = 0; i < 4; ++i) {
    f.leader().say(ForwardReply{sent[i].number, What::result, applied(4), f.leader_last + 1});
    f.settle();
    for (const Forward& next : f.leader().take_all<Forward>()) {
      is_large.push_back(next.command.size() > large.size());
      sent.push_back(next);
    }
  }
  CHECK(is_large == std::vector<bool>{true, false, true, true});
}

TEST_CASE("forwards: one is let through however large, and however little credit there is") {
  Follower f;
  const ClientId c = f.client();
  const Forward first = f.forward(c, set_large());
  f.leader().say(ForwardReply{0, What::proposed, {}, {}, 0, 1});
  f.line(c, set("a", 1));
  f.settle();
  CHECK_FALSE(f.is_sent());
  f.leader().say(ForwardReply{first.number, What::result, applied(4), f.leader_last + 1, 1, 1});
  f.settle();
  CHECK(f.is_sent());
}

TEST_CASE("forwards: what was lost on its way costs no credit for ever") {
  Follower f;
  const ClientId c = f.client(), d = f.client();
  f.forward(c, set_large(R"(,"timeout_ms":100)"));
  f.forward(c, set_large(R"(,"timeout_ms":100)"));
  f.pass_ms(150);
  CHECK(f.replies(c).size() == 2);
  SUBCASE("once it has left this node") {
    f.line(d, set_large());
    f.settle();
    CHECK(f.is_sent());
  }
  SUBCASE("and not before") {
    f.env.unsent[f.leader().link] = 1;
    f.line(d, set_large());
    f.settle();
    CHECK_FALSE(f.is_sent());
    f.env.unsent[f.leader().link] = 0;
    f.pass_ms(200);
    CHECK(f.is_sent());
  }
}

TEST_CASE("forwards: where a decision takes long, less is under way") {
  for (const std::uint64_t ms : {500U, 4000U}) {
    CAPTURE(ms);
    Follower f;
    const Forward first = f.forward(f.client(), set_large());
    f.pass_ms(ms);
    f.leader().say(
        ForwardReply{first.number, What::result, applied(4), f.leader_last + 1, 1, 4 << 20});
    std::string line = set_large();
    line.insert(line.size() - 1, ",\"timeout_ms\":20000");
    for (int i = 0; i < 7; ++i) f.line(f.client(), line);
    f.settle();
    CHECK(f.leader().take_all<Forward>().size() == (ms == 500 ? 5U : 2U));
  }
}

TEST_CASE("forwards: nothing is put onto a link on which much waits already") {
  Follower f;
  const ClientId c = f.client();
  f.env.unsent[f.leader().link] = Env::crowded_link_bytes;
  f.line(c, set("a", 1));
  f.settle();
  CHECK_FALSE(f.is_sent());
  f.env.unsent[f.leader().link] = Env::crowded_link_bytes / 2 - 1;
  f.settle();
  CHECK(f.is_sent());
}

// --- the leader's side ---------------------------------------------------------------------------

TEST_CASE("forwards: the leader says where they are before the entries can come") {
  NodeFixture fixture("0");
  fixture.lead();
  Peer& one = fixture.peer("1");
  const Index last = fixture.node->raft().log().last_index();
  fixture.env.frames.clear();
  one.say(Forward{4, Term{1}, true, set_command("a", "1")});
  std::vector<std::string> said;
  for (const test::FakeEnv::Frame& frame : fixture.env.frames[one.link]) {
    const auto decoded = codec::decode_frame(frame.bytes);
    const auto message = codec::decode_peer_message(decoded->payload);
    if (const auto* reply = std::get_if<ForwardReply>(&*message)) {
      CHECK(reply->what == What::proposed);
      CHECK(reply->number == 4);
      CHECK(reply->index == last + 1);
      CHECK(reply->count == 1);
      CHECK(reply->credit == 4 << 20);  // half of what all may have
      said.push_back("proposed");
    } else if (const auto* core = std::get_if<raft::Message>(&*message);
               core != nullptr && std::holds_alternative<raft::AppendEntries>(*core)) {
      said.push_back("append");
    }
    CHECK(frame.priority == Priority::bulk);
  }
  CHECK(said == std::vector<std::string>{"proposed", "append"});
}

TEST_CASE("forwards: a long result stays where it is, unless it was asked for") {
  NodeFixture fixture("0");
  fixture.lead();
  Peer& one = fixture.peer("1");
  fixture.ask(R"({"op":"set","key":"k","value":")" + large + "\"}");
  fixture.let_peers_follow();
  kv::Command command;
  command.op = kv::Op::set;
  command.key = "k";
  command.value = "1";
  command.condition.kind = kv::Condition::Kind::rev;
  command.condition.rev = 1;
  std::string failing;
  kv::encode(command, failing);
  for (const bool any_result : {false, true}) {
    CAPTURE(any_result);
    one.say(Forward{any_result ? 2U : 1U, Term{1}, true, failing, any_result});
    fixture.let_peers_follow();
    const auto reply = test::take_decided(one);
    REQUIRE(reply.has_value());
    CHECK(reply->what == (any_result ? What::result : What::applied));
    CHECK(reply->result.empty() == !any_result);
    CHECK(reply->index == fixture.node->raft().log().last_index());
  }
}

TEST_CASE("forwards: entries go onto no link on which many wait, heartbeats do") {
  NodeFixture fixture("0");
  fixture.lead();
  Peer& one = fixture.peer("1");
  fixture.env.unsent[one.link] = 1 << 30;
  fixture.ask(set("a", 1));
  fixture.pass_ms(200);
  CHECK_FALSE(one.take<raft::AppendEntries>().has_value());
  CHECK(one.take<raft::Heartbeat>().has_value());
  CHECK(fixture.peer("2").take<raft::AppendEntries>().has_value());
}

}  // namespace zatt::node
