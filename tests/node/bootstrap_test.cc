// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/bootstrap.h"

#include <doctest/doctest.h>

#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using What = BootstrapStep::What;

const std::map<std::string, Address> three{
    {"0", {"h", 5254}}, {"1", {"h", 5255}}, {"2", {"h", 5256}}};

// A directory's name in these tables: its id and its incarnation, "1b" being node 1's second.
MemberId server(std::string_view name) {
  return {std::string(1, name[0]), static_cast<std::uint64_t>(name.size() > 1 ? name[1] : 'a')};
}

raft::Offer offer(std::uint64_t number, std::uint64_t cluster,
                  const std::vector<std::string>& names) {
  raft::Offer made{number, ClusterId{cluster}, {}};
  for (const std::string& name : names) {
    const MemberId who = server(name);
    const auto at = three.find(who.id);
    made.configuration.members.push_back(
        {who, at == three.end() ? Address{} : at->second, true, false, false});
  }
  return made;
}

struct Directory {
  storage::HardState state;
  explicit Directory(std::string_view name) { state.self = server(name); }
  Directory& holds(const raft::Offer& held) {
    state.offers.push_back(held);
    state.cluster = held.cluster;
    return *this;
  }
  Directory& acted() {
    state.raft_state.current_term = Term{1};
    return *this;
  }
  Directory& in(ClusterId cluster) {
    state.cluster = cluster;
    return *this;
  }
  ConnectedPeer met() const {
    codec::BootstrapState bootstrap_state;
    bootstrap_state.cluster = state.cluster;
    bootstrap_state.acted = state.raft_state.current_term > Term{0};
    if (!bootstrap_state.acted) bootstrap_state.offers = state.offers;
    return {state.self, bootstrap_state};
  }
};

constexpr std::uint64_t fresh = 77;

BootstrapStep step(const Directory& mine, const std::vector<Directory>& others,
                   const std::map<std::string, Address>& cluster = three) {
  std::vector<ConnectedPeer> met;
  for (const Directory& other : others) met.push_back(other.met());
  return next_bootstrap_step({mine.state, cluster, met, ClusterId{fresh}});
}

bool is_wait(const BootstrapStep& s, const std::vector<std::string>& waiting_for) {
  return s.what == What::wait && s.waiting_for == waiting_for;
}

const raft::Offer first = offer(1, 10, {"0", "1", "2"});

bool says(const BootstrapStep& s, const std::string& words) {
  return s.what == What::stuck && s.why.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("bootstrap: a lone member founds at once") {
  const std::map<std::string, Address> alone{{"0", {"h", 5254}}};
  const BootstrapStep store = step(Directory("0"), {}, alone);
  REQUIRE(store.what == What::store);
  CHECK(store.offer == offer(1, fresh, {"0"}));
  const BootstrapStep found = step(Directory("0").holds(store.offer), {}, alone);
  REQUIRE(found.what == What::found);
  CHECK(found.configuration == store.offer.configuration);
}

TEST_CASE("bootstrap: the lowest id waits for all, and makes the offer") {
  CHECK(is_wait(step(Directory("0"), {}), {"1", "2"}));
  CHECK(is_wait(step(Directory("0"), {Directory("2")}), {"1"}));
  const BootstrapStep made = step(Directory("0"), {Directory("1"), Directory("2")});
  REQUIRE(made.what == What::store);
  CHECK(made.offer == offer(1, fresh, {"0", "1", "2"}));
}

TEST_CASE("bootstrap: the others make none, whoever they have met") {
  CHECK(is_wait(step(Directory("1"), {}), {"0", "2"}));
  CHECK(is_wait(step(Directory("1"), {Directory("2")}), {"0"}));
  CHECK(is_wait(step(Directory("1"), {Directory("0"), Directory("2")}), {}));
}

TEST_CASE("bootstrap: an empty directory stores the bootstrap leader's offer that names it") {
  const BootstrapStep taken = step(Directory("1"), {Directory("0").holds(first)});
  REQUIRE(taken.what == What::store);
  CHECK(taken.offer == first);
  // Not that of a directory which is no more, and not from anybody but the bootstrap leader.
  CHECK(step(Directory("1b"), {Directory("0").holds(first)}).what == What::wait);
  CHECK(step(Directory("1"), {Directory("0"), Directory("2").holds(first)}).what == What::wait);
}

TEST_CASE("bootstrap: nobody founds before all have stored the offer") {
  const Directory zero = Directory("0").holds(first);
  const Directory one = Directory("1").holds(first);
  const Directory two = Directory("2").holds(first);
  CHECK(step(zero, {one, Directory("2")}).what == What::wait);
  CHECK(is_wait(step(zero, {one}), {"2"}));
  CHECK(step(zero, {one, two}).what == What::found);
  // The bootstrap leader's own storing its offer implies: whoever holds it need not have met it now.
  CHECK(step(one, {two}).what == What::found);
  CHECK(step(one, {two, zero}).what == What::found);
  CHECK(step(one, {Directory("2"), zero}).what == What::wait);
  CHECK(step(one, {Directory("2b").holds(first), zero}).what == What::wait);
  CHECK(step(one, {Directory("2").holds(offer(1, 11, {"0", "1", "2"})), zero}).what == What::wait);
  CHECK(step(one, {zero}).what == What::wait);
  CHECK(step(one, {two}).configuration == first.configuration);
}

TEST_CASE("bootstrap: a member wiped before anything was voted heals by a later offer") {
  const Directory zero = Directory("0").holds(first);
  const Directory one = Directory("1").holds(first);
  const BootstrapStep later = step(zero, {one, Directory("2b")});
  REQUIRE(later.what == What::store);
  CHECK(later.offer == offer(2, fresh, {"0", "1", "2b"}));
  const Directory healed = Directory(zero).holds(later.offer);
  CHECK(step(Directory("2b"), {healed, one}).offer == later.offer);
  const BootstrapStep taken = step(one, {healed, Directory("2b")});
  REQUIRE(taken.what == What::store);
  CHECK(taken.offer == later.offer);
  // An earlier offer is never taken for a later one.
  CHECK(step(Directory(one).holds(later.offer), {zero, Directory("2b")}).what == What::wait);
  // Offers are numbered above every one that anybody shows, so that a wiped bootstrap leader's is later too.
  const Directory third = Directory("1").holds(first).holds(offer(6, 16, {"0", "1", "2"}));
  CHECK(step(Directory("0b"), {third, Directory("2")}).offer.number == 7);
}

TEST_CASE("bootstrap: the bootstrap leader wiped itself") {
  const Directory one = Directory("1").holds(first);
  const Directory two = Directory("2").holds(first);
  const BootstrapStep later = step(Directory("0b"), {one, two});
  REQUIRE(later.what == What::store);
  CHECK(later.offer == offer(2, fresh, {"0b", "1", "2"}));
  const Directory leader = Directory("0b").holds(later.offer);
  CHECK(step(one, {leader, two}).offer == later.offer);
  CHECK(step(two, {leader, one}).offer == later.offer);
}

TEST_CASE(
    "bootstrap: the bootstrap leader wiped itself while its offer was on its way into a "
    "directory") {
  // Node 1 did not show yet what it was storing: the new offer got the same number.
  const Directory leader = Directory("0b").holds(offer(1, 11, {"0b", "1", "2"}));
  const Directory one = Directory("1").holds(first);
  const Directory two = Directory("2").holds(offer(1, 11, {"0b", "1", "2"}));
  CHECK(step(one, {leader, two}).what == What::wait);
  const BootstrapStep later = step(leader, {one, two});
  REQUIRE(later.what == What::store);
  CHECK(later.offer == offer(2, fresh, {"0b", "1", "2"}));
  CHECK(step(one, {Directory(leader).holds(later.offer), two}).offer == later.offer);
}

TEST_CASE(
    "founding: a later offer is void, whoever of those who have acted elsewhere is met first") {
  // Node 1 was emptied; before the bootstrap leader's later offer was stored it was emptied again, and
  // entered the cluster of the first offer, in which the others have acted.
  const Directory leader = Directory("0").holds(first).holds(offer(2, 11, {"0", "1b", "2"}));
  const Directory one = Directory("1c").in(ClusterId{10}).acted();
  const Directory two = Directory("2").holds(first).acted();
  CHECK(says(step(leader, {one}), "node 1 belongs to a cluster that lives"));
  for (const auto& met : {std::vector{one, two}, std::vector{two, one}}) {
    const BootstrapStep enters = step(leader, met);
    CHECK(enters.what == What::enter);
    CHECK(enters.cluster == ClusterId{10});
  }
}

TEST_CASE("bootstrap: two wiped of three is stuck, and names the directories") {
  const Directory zero = Directory("0").holds(first);
  const BootstrapStep leader = step(zero, {Directory("1b"), Directory("2b")});
  CHECK(says(leader, "the directories of nodes 1, 2 are not those"));
  CHECK(says(leader, "empty its directory"));
  // Seen from the one that was not wiped, when the bootstrap leader was.
  const Directory made = Directory("0b").holds(offer(2, 12, {"0b", "1b", "2"}));
  CHECK(says(step(Directory("2").holds(first), {made, Directory("1b")}), "nodes 0, 1"));
}

TEST_CASE("bootstrap: a later offer has a majority of every offer that was held") {
  // Each step keeps a majority of the one before; the third has only "0" of the first.
  const raft::Offer second = offer(2, 12, {"0", "1", "2b"});
  const raft::Offer third = offer(3, 13, {"0", "1b", "2b"});
  const Directory zero = Directory("0").holds(first).holds(second);
  CHECK(says(step(zero, {Directory("1b"), Directory("2b").holds(second)}), "nodes 1, 2"));
  const Directory leader = Directory("0").holds(first).holds(second).holds(third);
  const Directory two = Directory("2b").holds(second);
  CHECK(step(two, {leader, Directory("1b")}).offer == third);  // it never held the first
}

TEST_CASE("bootstrap: of five, a majority of three may be kept") {
  std::map<std::string, Address> five;
  for (const char* id : {"0", "1", "2", "3", "4"}) five[id] = {"h", 1};
  const auto held = [&](std::vector<std::string> names) {
    raft::Offer made = offer(1, 10, names);
    for (raft::Member& member : made.configuration.members) member.address = {"h", 1};
    return made;
  };
  const Directory zero = Directory("0").holds(held({"0", "1", "2", "3", "4"}));
  const Directory one = Directory("1");
  CHECK(step(zero, {one, Directory("2"), Directory("3b"), Directory("4b")}, five).what ==
        What::store);
  CHECK(says(step(zero, {one, Directory("2b"), Directory("3b"), Directory("4b")}, five),
             "nodes 2, 3, 4"));
}

TEST_CASE("bootstrap: of four, half is no majority, and three are") {
  std::map<std::string, Address> four;
  for (const char* id : {"0", "1", "2", "3"}) four[id] = {"h", 1};
  raft::Offer held = offer(1, 10, {"0", "1", "2", "3"});
  for (raft::Member& member : held.configuration.members) member.address = {"h", 1};
  const Directory zero = Directory("0").holds(held);
  const Directory one = Directory("1");
  CHECK(step(zero, {one, Directory("2"), Directory("3b")}, four).what == What::store);
  CHECK(says(step(zero, {one, Directory("2b"), Directory("3b")}, four), "nodes 2, 3"));
}

TEST_CASE("bootstrap: who has acted takes no offer and makes none") {
  const Directory acted = Directory("0").holds(first).acted();
  const BootstrapStep leader = step(acted, {Directory("1"), Directory("2b")});
  REQUIRE(leader.what == What::found);  // its log is empty: it founds what it had
  CHECK(leader.configuration == first.configuration);
  const raft::Offer later = offer(2, 12, {"0", "1", "2b"});
  const BootstrapStep taker =
      step(Directory("1").holds(first).acted(), {Directory("0").holds(later), Directory("2b")});
  CHECK(taker.what == What::found);
  CHECK(taker.configuration == first.configuration);
  CHECK(step(Directory("1").in(ClusterId{10}).acted(), {Directory("0").holds(later)}).what ==
        What::wait);
}

TEST_CASE("bootstrap: one acted, so the others follow") {
  const Directory living = Directory("1").holds(first).acted();
  const BootstrapStep follower = step(Directory("2").holds(first), {living});
  REQUIRE(follower.what == What::found);
  CHECK(follower.configuration == first.configuration);
  CHECK(step(Directory("0").holds(first), {living}).what == What::found);
}

TEST_CASE("bootstrap: a return to an earlier offer when one whom the present names acted in that") {
  const raft::Offer second = offer(2, 12, {"0", "1", "2b"});
  const Directory living = Directory("1").holds(first).acted();
  const BootstrapStep back = step(Directory("0").holds(first).holds(second), {living});
  REQUIRE(back.what == What::enter);
  CHECK(back.cluster == first.cluster);
  // Back in it, its offer is there again, and is founded.
  const BootstrapStep found =
      step(Directory("0").holds(first).holds(second).in(first.cluster), {living});
  REQUIRE(found.what == What::found);
  CHECK(found.configuration == first.configuration);
  // Who never held the earlier offer enters as an observer: the log will come.
  const BootstrapStep observer = step(Directory("2b").holds(second), {living});
  REQUIRE(observer.what == What::enter);
  CHECK(step(Directory("2b").holds(second).in(first.cluster), {living}).what == What::wait);
}

TEST_CASE("bootstrap: a member called by a living cluster neither founds nor stores an offer") {
  const Directory living = Directory("1").holds(first).acted();
  const BootstrapStep enters = step(Directory("2b"), {living});
  REQUIRE(enters.what == What::enter);
  CHECK(enters.cluster == first.cluster);
  // Nor does the bootstrap leader itself, once all are there.
  CHECK(step(Directory("0b"), {living, Directory("2")}).what == What::enter);
  const Directory observer = Directory("0b").in(first.cluster);
  CHECK(is_wait(step(observer, {living, Directory("2")}), {}));
  CHECK(is_wait(step(observer, {Directory("1b")}), {"2"}));
  CHECK(is_wait(step(observer, {Directory("1b"), Directory("2b").in(first.cluster)}), {}));
  CHECK(says(step(observer, {Directory("1b"), Directory("2b")}), "all the other directories"));
}

TEST_CASE(
    "founding: entered a living cluster that is gone, and an earlier offer forbids the new one") {
  const Directory two = Directory("2b").holds(offer(2, 12, {"0", "1", "2b"})).in(first.cluster);
  const Directory leader = Directory("0b").holds(offer(3, 13, {"0b", "1b", "2b"}));
  CHECK(says(step(two, {leader, Directory("1b")}), "nodes 0, 1"));
}

TEST_CASE("bootstrap: a cluster that lives without us, while we were to found another, is said") {
  const Directory unknown = Directory("1b").in(ClusterId{99}).acted();
  const BootstrapStep said = step(Directory("0").holds(first), {unknown});
  CHECK(says(said, "node 1 belongs to a cluster that lives"));
}

namespace {

// What the node shows of itself: to who connects anew, and to who asks.
std::vector<codec::BootstrapState> shown_to(test::Peer& peer) {
  peer.disconnect();
  peer.connect(false);
  peer.say(peer.hello());
  codec::BootstrapState asking = peer.bootstrap_state;
  asking.asks = true;
  peer.say(asking);
  std::vector<codec::BootstrapState> shown;
  for (const codec::Hello& hello : peer.take_all<codec::Hello>())
    shown.push_back(hello.bootstrap_state);
  REQUIRE(shown.size() == 1);
  for (codec::BootstrapState& bootstrap_state : peer.take_all<codec::BootstrapState>())
    shown.push_back(std::move(bootstrap_state));
  REQUIRE(shown.size() > 1);
  return shown;
}

}  // namespace

TEST_CASE("bootstrap: an offer is shown once it is durable, and not before") {
  for (const std::string id : {"0", "1"}) {  // who makes the offer, and who takes it
    CAPTURE(id);
    test::NodeFixture fixture(id);
    REQUIRE(fixture.open());
    fixture.disk_held = true;
    for (auto& [other_id, other] : fixture.peers) other->connect();
    if (id == "1") {
      raft::Offer made{1, ClusterId{0xab12}, {}};
      for (const auto& [member, address] : fixture.options.cluster) {
        const MemberId who =
            member == "1" ? fixture.node->raft().self() : fixture.peer(member).server;
        made.configuration.members.push_back({who, address, true, false, false});
      }
      fixture.peer("0").bootstrap_state.cluster = made.cluster;
      fixture.peer("0").bootstrap_state.offers.push_back(made);
      fixture.peer("0").say(fixture.peer("0").bootstrap_state);
    }
    REQUIRE(fixture.env.batch.has_value());  // the offer is on its way
    for (const codec::BootstrapState& shown : shown_to(fixture.peer("2"))) {
      CHECK(shown.cluster == ClusterId{0});
      CHECK(shown.offers.empty());
    }
    fixture.disk_held = false;
    fixture.run_batch();
    fixture.settle();
    ClusterId cluster{};
    for (const codec::BootstrapState& shown : shown_to(fixture.peer("2"))) {
      REQUIRE(shown.offers.size() == 1);
      CHECK(shown.cluster == shown.offers[0].cluster);
      cluster = shown.cluster;
    }
    fixture.close();
    Prng prng(1);
    fixture.disk->crash(prng, test::Crash::all_lost);
    REQUIRE(fixture.open());
    fixture.peer("2").connect(false);
    const auto hello = fixture.peer("2").take<codec::Hello>();
    REQUIRE(hello.has_value());
    CHECK(hello->bootstrap_state.cluster == cluster);
  }
}

}  // namespace zatt::node
