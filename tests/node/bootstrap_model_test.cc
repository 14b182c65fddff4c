// SPDX-License-Identifier: AGPL-3.0-or-later
// Founding as a game: directories meet, part, crash, are wiped and vote in any order that a seed
// gives, over connections that deliver late and lose what was under way.
//
// The rules are those that ship (next_founding_step); what a node does with a step, and who may
// vote when, is told here once more and in its loosest form: a grant once given counts for ever.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "base/prng.h"
#include "node/bootstrap.h"

namespace zatt::node {
namespace {

using What = BootstrapStep::What;

struct Seen {  // of a peer, over one connection
  MemberId server;
  codec::BootstrapState bootstrap_state;
};

struct Directory {
  storage::HardState state;    // as in memory
  storage::HardState durable;  // as a crash leaves it
  bool saving = false;
  bool founded = false;  // its first configuration is in the log
  bool stuck = false;
  std::set<MemberId> grants;  // of its election, ours too
  std::map<std::size_t, Seen> met;
  std::map<std::size_t, std::deque<Seen>> under_way;  // to us, by who said it
  bool acted() const { return state.raft_state.current_term > Term{0}; }
};

class Game {
 public:
  Game(std::uint64_t seed, std::size_t size) : prng_(seed), all_(size), deaf_(seed % (size + 1)) {
    for (std::size_t i = 0; i < size; ++i) {
      cluster_[std::to_string(i)] = {"h", static_cast<std::uint16_t>(5254 + i)};
      all_[i].state.self = all_[i].durable.self = {std::to_string(i), ++incarnation_};
    }
  }

  void play(int moves) {
    for (int i = 0; i < moves && problem.empty(); ++i) move();
  }

  // All connected, nothing lost, nobody wiped or stopped any more.
  void settle() {
    for (int round = 0; round < 60 && problem.empty(); ++round) {
      for (std::size_t i = 0; i < all_.size(); ++i) saved(i);
      for (std::size_t i = 0; i < all_.size(); ++i)
        for (std::size_t j = 0; j < all_.size(); ++j) {
          if (i < j && round == 0) connect(i, j);
          while (deliver(i, j)) {
          }
        }
      for (std::size_t i = 0; i < all_.size(); ++i)
        for (std::size_t j = 0; j < all_.size(); ++j)
          if (i != j) run_election(i, j);
    }
    if (problem.empty() && !is_settled()) problem = "neither founded nor stuck";
  }

  std::string problem;
  int elected = 0, said_stuck = 0, wiped = 0;

 private:
  void move() {
    const std::size_t i = prng_.below(all_.size());
    const std::size_t j = (i + 1 + prng_.below(all_.size() - 1)) % all_.size();
    const std::uint64_t what = prng_.below(100);
    // In most games somebody hears little, and late.
    if (what < 55 && (i == deaf_ || (what < 15 && j == deaf_)) && prng_.chance(9, 10)) return;
    if (what < 15)
      connect(i, j);
    else if (what < 55)
      deliver(i, j);
    else if (what < 70)
      saved(i);
    else if (what < 86)
      run_election(i, j);
    else if (what < 88)
      hang_up(i, j);
    else if (what < 91)
      ask(i);
    else if (what < 95)
      crash(i);
    else if (what < 98)
      wipe(i);
    else
      wipe_all_that_acted();
  }

  codec::BootstrapState bootstrap_state(const Directory& d) const {
    codec::BootstrapState s;
    s.acted = d.acted();
    if (d.saving) return s;
    s.cluster = d.state.cluster;
    if (!s.acted) s.offers = d.state.offers;
    return s;
  }

  void tell(std::size_t from, std::size_t to) {
    const Directory& d = all_[from];
    all_[to].under_way[from].push_back({d.state.self, bootstrap_state(d)});
  }

  // To those whom it believes to be connected.
  void show(std::size_t from) {
    for (const auto& [to, seen] : all_[from].met)
      if (all_[to].state.self == seen.server) tell(from, to);
  }

  // A new connection ends the older one unread, on both sides; the greetings are under way.
  void connect(std::size_t i, std::size_t j) {
    hang_up(i, j);
    tell(i, j);
    tell(j, i);
  }

  void hang_up(std::size_t i, std::size_t j) {
    all_[i].under_way.erase(j);
    all_[j].under_way.erase(i);
    all_[i].met.erase(j);
    all_[j].met.erase(i);
  }

  bool deliver(std::size_t to, std::size_t from) {
    Directory& d = all_[to];
    auto& queue = d.under_way[from];
    if (queue.empty()) return false;
    d.met[from] = queue.front();
    queue.pop_front();
    pursue(to);
    return true;
  }

  void ask(std::size_t i) {  // what was shown may be shown again
    if (!all_[i].saving) show(i);
  }

  bool is_in_cluster(const Directory& d) const {
    return d.state.cluster != ClusterId{} && !d.saving &&
           (d.founded || current_offer(d.state) == nullptr);
  }

  void pursue(std::size_t i) {
    Directory& d = all_[i];
    if (d.saving || (d.acted() && is_in_cluster(d))) return;
    std::vector<ConnectedPeer> met;
    for (const auto& [id, seen] : d.met) met.push_back({seen.server, seen.bootstrap_state});
    const BootstrapStep step =
        next_bootstrap_step({d.state, cluster_, met, ClusterId{++last_cluster_}});
    d.stuck = step.what == What::stuck;
    if (step.what == What::store || step.what == What::enter) {
      if (d.acted()) problem = "one that has acted gave up its cluster";
      d.founded = false;
      d.grants.clear();
      if (step.what == What::store) {
        for (const raft::Offer& held : d.state.offers)
          held_both_.insert({held.cluster, step.offer.cluster});
        d.state.offers.push_back(step.offer);
      }
      d.state.cluster = step.what == What::store ? step.offer.cluster : step.cluster;
      d.saving = true;
    } else if (step.what == What::found && !d.founded) {
      found(d, step.configuration);
    }
  }

  void found(Directory& d, const raft::Configuration& configuration) {
    const raft::Offer* offer = current_offer(d.state);
    if (offer == nullptr || !(offer->configuration == configuration))
      problem = "founded what is not its present offer";
    if (configuration.find(d.state.self) == nullptr) problem = "founded without itself";
    d.founded = true;
  }

  void saved(std::size_t i) {
    Directory& d = all_[i];
    d.durable = d.state;
    if (!d.saving) return;
    d.saving = false;
    show(i);
    pursue(i);
  }

  // i asks j for its vote, j hears it at once: first of a pre-vote, then of a vote.
  void run_election(std::size_t i, std::size_t j) {
    Directory& a = all_[i];
    Directory& b = all_[j];
    if (!is_in_cluster(a) || !a.founded || b.saving) return;
    const auto seen_by_b = b.met.find(i);
    const auto seen_by_a = a.met.find(j);
    if (seen_by_b == b.met.end() || seen_by_a == a.met.end()) return;
    if (seen_by_b->second.server != a.state.self || seen_by_a->second.server != b.state.self)
      return;
    const ClusterId cluster = a.state.cluster;
    if (seen_by_a->second.bootstrap_state.cluster != cluster) return;
    if (seen_by_b->second.bootstrap_state.cluster != cluster || b.state.cluster != cluster) return;
    if (current_offer(a.state) == nullptr) return;  // an observer
    const raft::Configuration& configuration = current_offer(a.state)->configuration;
    if (configuration.find(b.state.self) == nullptr) return;
    // Who hears of votes knows that all have stored the offer.
    const raft::Offer* held = current_offer(b.state);
    if (held == nullptr) return;
    if (!b.founded) found(b, held->configuration);
    if (b.acted() && !a.acted()) act(i);  // a later term is heard of and adopted
    a.grants.insert(b.state.self);
    const std::size_t votes = a.grants.size() + 1;
    if (2 * votes <= configuration.members.size()) return;
    act(i);
    if (prng_.chance(1, 4)) return;  // its request for votes is lost
    vote(i);
    act(j);
    vote(j);
    const std::set<MemberId>& voters = voted_in_[cluster];
    const auto there =
        std::count_if(configuration.members.begin(), configuration.members.end(),
                      [&](const raft::Member& m) { return voters.contains(m.server); });
    if (2 * static_cast<std::size_t>(there) <= configuration.members.size()) return;
    ++elected;
    for (const auto& [other, its_voters] : voted_in_)
      for (const Directory& d : all_)
        if (other != cluster && its_voters.contains(d.state.self))
          problem = "a cluster was founded beside one that lives";
    elected_.insert(cluster);
    // Nor ever in two that one directory has held: whoever is wiped may come back.
    for (const auto& [one, other] : held_both_)
      if (elected_.contains(one) && elected_.contains(other))
        problem = "two offers that one directory has held were both acted in";
  }

  void vote(std::size_t i) {
    all_[i].durable = all_[i].state;
    voted_in_[all_[i].state.cluster].insert(all_[i].state.self);
  }

  void act(std::size_t i) {
    Directory& d = all_[i];
    const bool first = !d.acted();
    d.state.raft_state.current_term = Term{1};
    if (prng_.chance(1, 2)) d.durable = d.state;  // or a crash takes it back
    if (first) show(i);
    for (const Directory& other : all_)
      if (other.acted() && current_offer(other.state) != nullptr &&
          current_offer(d.state) != nullptr && other.state.cluster != d.state.cluster)
        problem = "two that live have acted in different clusters";
  }

  void crash(std::size_t i) {
    Directory& d = all_[i];
    d.state = d.durable;
    // Whether the log kept its first entry or not, it is founded anew when the others show it.
    d.founded = d.founded && !d.saving && prng_.chance(1, 2);
    d.saving = d.stuck = false;
    d.grants.clear();
    d.met.clear();
    d.under_way.clear();
    for (Directory& other : all_) other.under_way.erase(i);
    // The others hear of it now, or only when it calls again.
    for (Directory& other : all_)
      if (prng_.chance(1, 2)) other.met.erase(i);
  }

  void wipe_all_that_acted() {
    for (std::size_t i = 0; i < all_.size(); ++i)
      if (all_[i].acted()) wipe(i);
  }

  void wipe(std::size_t i) {
    if (wiped >= 6) return;
    ++wiped;
    Directory& d = all_[i];
    crash(i);
    d.founded = false;
    const std::string id = d.state.self.id;
    d.state = storage::HardState{};
    d.state.self = {id, ++incarnation_};
    d.durable = d.state;
  }

  bool is_settled() {
    std::set<ClusterId> clusters;
    bool acted = false;
    for (const Directory& d : all_) {
      if (d.stuck) return said_stuck = 1, true;
      clusters.insert(d.state.cluster);
      acted = acted || d.acted();
    }
    if (clusters.size() != 1 || *clusters.begin() == ClusterId{}) return false;
    if (elected_.contains(*clusters.begin())) return true;
    // It lived, and a majority of it was wiped: nobody leads, which is said.
    std::size_t left = 0;
    for (const Directory& d : all_) left += current_offer(d.state) != nullptr;
    return 2 * left <= all_.size();
  }

  Prng prng_;
  std::uint64_t incarnation_ = 0;
  std::uint64_t last_cluster_ = 100;
  std::map<std::string, Address> cluster_;
  std::vector<Directory> all_;
  std::size_t deaf_;                                  // or nobody
  std::map<ClusterId, std::set<MemberId>> voted_in_;  // by cluster: who voted in it, ever
  std::set<ClusterId> elected_;
  std::set<std::pair<ClusterId, ClusterId>> held_both_;  // by one directory
};

void play(std::size_t size, std::uint64_t seeds, int most_moves) {
  int elected = 0, stuck = 0, wiped = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Game game(seed, size);
    game.play(static_cast<int>(seed % static_cast<std::uint64_t>(most_moves)));
    game.settle();
    CAPTURE(seed);
    CAPTURE(size);
    REQUIRE(game.problem == "");
    elected += game.elected > 0;
    stuck += game.said_stuck;
    wiped += game.wiped;
  }
  // A game in which nothing happens proves nothing.
  CHECK(elected > static_cast<int>(seeds / 2));
  CHECK(elected < static_cast<int>(seeds));
  CHECK(stuck > 0);
  CHECK(wiped > static_cast<int>(seeds));
}

}  // namespace

TEST_CASE("bootstrap: no order of events makes two clusters, and each ends founded or stuck") {
  play(3, 10'000, 300);
}

TEST_CASE("bootstrap: likewise of two, four and five") {
  play(2, 2'000, 120);
  play(4, 2'000, 400);
  play(5, 2'000, 500);
}

}  // namespace zatt::node
