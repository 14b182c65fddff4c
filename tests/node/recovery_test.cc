// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/recovery.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

#include "node/bootstrap.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using test::NodeFixture;
using test::Peer;

// The disk as a node left it, under another stage.
std::string open_with(NodeFixture& after, std::unique_ptr<test::SimDisk> disk) {
  after.disk = std::move(disk);
  const std::uint64_t written = after.disk->bytes_written();
  const Status opened = after.open();
  if (opened) return "";
  // What is refused is left as it was.
  CHECK(after.disk->bytes_written() == written);
  return to_string(opened.error());
}

std::string cluster_of(NodeFixture& fixture) {
  const std::string status = fixture.ask(R"({"op":"status"})");
  const std::size_t at = status.find("\"cluster\":\"") + 11;
  return status.substr(at, status.find('"', at) - at);
}

std::string the_segment(storage::Disk& disk) {
  std::string last;
  const auto names = disk.list();
  for (const std::string& name : *names)
    if (name.ends_with(".seg")) last = name;
  return last;
}

// The unit of the last entries: the last that is not zero.
std::uint64_t last_batch(storage::Disk& disk, const std::string& file) {
  constexpr std::uint64_t unit = 4096;
  std::uint64_t at = *disk.size(file) - unit;
  const std::string zeros(unit, '\0');
  while (*disk.read(file, at, unit) == zeros) at -= unit;
  return at;
}

}  // namespace

TEST_CASE("recovery: a cluster's name is 16 hexadecimal digits") {
  CHECK(cluster_name(ClusterId{0xab12}) == "000000000000ab12");
  CHECK(cluster_name(ClusterId{0xfedcba9876543210}) == "fedcba9876543210");
}

TEST_CASE("recovery: what was written is there again") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  CHECK(fixture.ask(R"({"op":"set","key":"k","value":[1]})") == R"({"ok":true,"rev":3})");
  const MemberId self = fixture.node->raft().self();
  fixture.close();
  fixture.lead_alone();
  CHECK(fixture.node->raft().self() == self);
  CHECK(fixture.ask(R"({"op":"get","key":"k"})") ==
        R"({"ok":true,"found":true,"value":[1],"rev":3})");
}

TEST_CASE("recovery: the folder of another node is refused by name") {
  NodeFixture before("0");
  before.lead();
  const std::string cluster = cluster_of(before);
  before.close();
  NodeFixture after("1");
  after.options.storage = "zatt.0.persist";
  CHECK(open_with(after, std::move(before.disk)) ==
        "zatt.0.persist belongs to node 0 of cluster " + cluster + ", not to node 1");
}

TEST_CASE("recovery: the folder of another node that is in no cluster yet") {
  NodeFixture before("0");
  REQUIRE(before.open());
  before.close();
  NodeFixture after("1");
  after.options.storage = "zatt.0.persist";
  CHECK(open_with(after, std::move(before.disk)) ==
        "zatt.0.persist belongs to node 0, not to node 1");
}

TEST_CASE("recovery: a member's folder without the configuration that names the others") {
  NodeFixture before("0");
  before.lead();
  before.close();
  NodeFixture after("0", 1);
  CHECK(open_with(after, std::move(before.disk)) ==
        "zatt.0.persist is a member of a cluster of 3; give -c with the configuration file that "
        "names its members");
}

TEST_CASE("recovery: likewise while its cluster is being founded") {
  NodeFixture before("0");
  before.found();
  before.close();
  NodeFixture after("0", 1);
  CHECK(open_with(after, std::move(before.disk)).find("is a member of a cluster of 3") !=
        std::string::npos);
}

TEST_CASE("recovery: a lone cluster's folder, with a configuration of three") {
  NodeFixture before("0", 1);
  before.lead_alone();
  before.close();
  NodeFixture after("0");
  CHECK(open_with(after, std::move(before.disk)) ==
        "zatt.0.persist is a cluster of its own, with one member, and the configuration names 3; "
        "give this node another storage directory");
}

TEST_CASE("recovery: \"create\": \"never\" makes nothing of an empty directory") {
  NodeFixture fixture("0", 1);
  fixture.options.create = false;
  CHECK(open_with(fixture, std::make_unique<test::SimDisk>()) ==
        "zatt.0.persist is empty, and \"create\" is \"never\": is the disk mounted that should be "
        "there?");
  CHECK(fixture.disk->list()->empty());
  fixture.options.create = true;
  fixture.lead_alone();
  fixture.close();
  fixture.options.create = false;
  fixture.lead_alone();
}

TEST_CASE("recovery: damage in a lone member's log is refused, with file and offset") {
  NodeFixture before("0", 1);
  before.lead_alone();
  before.ask(R"({"op":"set","key":"k","value":1})");
  before.ask(R"({"op":"set","key":"k","value":2})");
  before.pass_ms(1000);  // the note of the log's end
  before.close();
  const std::string file = the_segment(*before.disk);
  before.disk->flip_bit(file, 8 * 4096 + 100);
  NodeFixture after("0", 1);
  const std::string said = open_with(after, std::move(before.disk));
  CHECK(said.find("zatt.0.persist/" + file + ", byte 4096: ") != std::string::npos);
  CHECK(said.find("Nothing was changed. There is no other member to repair it from") !=
        std::string::npos);
}

TEST_CASE("recovery: with others, a damaged node starts, says so and does not lead") {
  NodeFixture fixture("0");
  fixture.lead();
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"set","key":"k","value":1})");
  fixture.settle();
  fixture.let_peers_follow();
  CHECK(fixture.replies(c).size() == 1);
  fixture.pass_ms(300);
  fixture.let_peers_follow();
  fixture.close();
  const std::string file = the_segment(*fixture.disk);
  // The last batch, which the log-end record vouches for.
  const std::uint64_t batch = last_batch(*fixture.disk, file);
  fixture.disk->flip_bit(file, 8 * batch + 100);
  REQUIRE(fixture.open());
  CHECK(fixture.env.count_logged("zatt.0.persist/" + file + ", byte ") == 1);
  CHECK(fixture.env.count_logged("This node does not lead, and votes only for logs") == 1);
  CHECK(fixture.env.count_logged("until the others (1, 2) have repaired it") == 1);
  CHECK(fixture.node->raft().is_below_floor());
  for (const char* id : {"1", "2"}) fixture.peer(id).connect();
  for (int i = 0; i < 40; ++i) {
    fixture.pass_ms(100);
    fixture.let_peers_follow();
  }
  CHECK_FALSE(fixture.node->raft().is_leader());
  CHECK(fixture.ask(R"({"op":"status"})").find("the log was damaged and is not repaired yet") !=
        std::string::npos);
}

namespace {

// Whole files, spoiled while nobody looks.
struct Spoil {
  const char* name;
  void (*segment)(test::SimDisk& disk, const std::string& file);
};
const Spoil spoils[] = {
    {"emptied", [](test::SimDisk& disk, const std::string& file) { disk.cut_at_rest(file, 0); }},
    {"cut", [](test::SimDisk& disk, const std::string& file) { disk.cut_at_rest(file, 5000); }},
    {"zeroed",
     [](test::SimDisk& disk, const std::string& file) {
       disk.overwrite_at_rest(file, 0, std::string(*disk.size(file), '\0'));
     }},
    {"zeroed from its records on",
     [](test::SimDisk& disk, const std::string& file) {
       disk.overwrite_at_rest(file, 4096, std::string(*disk.size(file) - 4096, '\0'));
     }},
};

// Node 0 as it was left, of `members`, with a value and its last segment spoiled.
void leave_corrupt(NodeFixture& fixture, const Spoil& spoil, bool in_good_order) {
  if (fixture.options.cluster.size() == 1)
    fixture.lead_alone();
  else
    fixture.lead();
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"set","key":"k","value":1})");
  fixture.settle();
  fixture.let_peers_follow();
  REQUIRE(fixture.replies(c).size() == 1);
  fixture.pass_ms(300);
  if (in_good_order) {
    fixture.node->shut_down();
    fixture.settle();
    fixture.let_peers_follow();
    REQUIRE(fixture.node->is_idle());
  }
  fixture.close();
  spoil.segment(*fixture.disk, the_segment(*fixture.disk));
}

}  // namespace

TEST_CASE("recovery: alone, a log whose end is gone is refused, and nothing is written") {
  for (const Spoil& spoil : spoils) {
    for (const bool in_good_order : {true, false}) {
      CAPTURE(spoil.name);
      CAPTURE(in_good_order);
      NodeFixture before("0", 1);
      leave_corrupt(before, spoil, in_good_order);
      const std::string file = the_segment(*before.disk);
      NodeFixture after("0", 1);
      const std::string said = open_with(after, std::move(before.disk));
      CHECK(said.find("zatt.0.persist/" + file + ", byte ") != std::string::npos);
      CHECK(said.find("put back a copy of the whole directory, or move it away to start empty") !=
            std::string::npos);
    }
  }
}

TEST_CASE("recovery: among others, what was promised behind a lost end keeps the floor open") {
  struct Row {
    const char* why;
    std::size_t members;
    bool in_good_order;
    bool is_open;
  };
  const Row rows[] = {
      {"three: what came last may have been promised to one who is down", 3, false, true},
      {"three, after a stop that said where the log ends", 3, true, false},
      {"two: the other one has all that was committed", 2, false, false},
      {"four: whoever elects asks one more who holds it", 4, false, false},
      {"five", 5, false, true},
  };
  for (const Row& row : rows) {
    for (const Spoil& spoil : spoils) {
      CAPTURE(row.why);
      CAPTURE(spoil.name);
      NodeFixture fixture("0", row.members);
      leave_corrupt(fixture, spoil, row.in_good_order);
      REQUIRE(fixture.open());
      CHECK(fixture.node->raft().is_below_floor());
      CHECK(fixture.node->raft().floor().open_term.has_value() == row.is_open);
    }
  }
}

TEST_CASE("recovery: damage to the first entry, which names the members, is repaired from them") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  // Without an offer of its own it would know of the others from that entry alone.
  Peer& leader = fixture.peer("0");
  leader.bootstrap_state = {ClusterId{77}, true, false, {}};
  leader.connect();
  raft::Configuration members;
  for (const char* id : {"0", "1", "2"})
    members.members.push_back(
        {id == std::string("1") ? fixture.node->raft().self() : fixture.peer(id).server,
         {"127.0.0.1", 5254},
         true,
         false,
         false});
  std::string body;
  encode(members, body);
  raft::AppendEntries append;
  append.term = Term{1};
  append.entries.push_back({Index{1}, Term{0}, 0, EntryKind::configuration, body});
  append.entries.push_back({Index{2}, Term{1}, 0, EntryKind::noop, ""});
  leader.say(append);
  REQUIRE(fixture.node->raft().log().last_index() == Index{2});
  fixture.pass_ms(300);  // the note of the log's end
  fixture.close();
  const std::string file = the_segment(*fixture.disk);
  fixture.disk->flip_bit(file, 8 * (4096 + 60));
  REQUIRE(fixture.open());
  CHECK(fixture.env.count_logged("until the others (0, 2) have repaired it") == 1);
  CHECK(fixture.node->raft().log().last_index() == Index{0});
  CHECK(fixture.node->raft().is_below_floor());
}

TEST_CASE("recovery: a crash between the new offer and the cut of the old one's first entry") {
  // A bootstrap leader that had founded, in term 0, gives that up for a later offer because node 2's
  // directory is another. Whatever the power leaves of that, entry 1 is the present offer's or
  // none.
  for (std::uint64_t call = 0; call < 40; ++call) {
    CAPTURE(call);
    NodeFixture fixture("0");
    fixture.found();
    fixture.peer("2").disconnect();
    fixture.peer("2").server.incarnation = 555;
    fixture.peer("2").bootstrap_state = {};
    fixture.disk_held = true;
    fixture.peer("2").connect();
    fixture.disk->crash_at(call);
    while (fixture.env.batch && !fixture.env.stopped) {
      fixture.run_batch();
      fixture.node->flush();
    }
    const bool done = !fixture.disk->is_crashed();
    fixture.close();
    Prng prng(call);
    fixture.disk->crash(prng, test::Crash::all_kept);
    fixture.disk->clear_faults();
    fixture.disk_held = false;
    REQUIRE(fixture.open());
    fixture.peer("1").connect(false);
    const auto hello = fixture.peer("1").take<codec::Hello>();
    REQUIRE(hello.has_value());
    const raft::Offer* offer = current_offer(hello->bootstrap_state);
    REQUIRE(offer != nullptr);
    const raft::Configuration& first = fixture.node->raft().configuration();
    CHECK((first.empty() || first == offer->configuration));
    if (done) break;
    CHECK(call < 39);
  }
}

}  // namespace zatt::node
