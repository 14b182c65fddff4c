// SPDX-License-Identifier: AGPL-3.0-or-later
// Many clients compare-and-set one large document through a follower, over links that pass no more
// than an ordinary network does.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/cluster.h"

namespace zatt::sim {
namespace {

constexpr std::uint64_t second_us = 1'000'000;

Settings settings_of(std::uint64_t seed) {
  Settings settings;
  settings.seed = seed;
  settings.restarts = false;
  settings.clients = 0;
  settings.link_bytes_per_ms = 12'500;  // 100 Mbit/s
  settings.disk_bytes_per_ms = 50'000;
  settings.sync_us = 2'000;
  return settings;
}

struct Writers {
  explicit Writers(Cluster& simulated) : cluster(simulated) {
    cluster.on_own_connection = [this](node::ClientId id, std::optional<std::string_view> line) {
      hear(id, line);
    };
  }

  Cluster& cluster;
  NodeNumber at = 0;
  bool asking = true;
  std::size_t waiting = 0;
  std::map<std::string, std::size_t> answers;  // how many of each kind
  const std::string value = '"' + std::string(1'000'000, 'x') + '"';

  void ask(node::ClientId id, std::uint64_t rev) {
    ++waiting;
    cluster.send(at, id,
                 R"({"op":"set","key":"document","if":{"rev":)" + std::to_string(rev) +
                     R"(},"value":)" + value + "}");
  }
  static std::uint64_t rev_in(std::string_view line) {
    const std::size_t found = line.rfind(R"("rev":)");
    return found == std::string_view::npos ? 0
                                           : std::strtoull(line.data() + found + 6, nullptr, 10);
  }
  static std::string kind_of(std::string_view line) {
    if (line.starts_with(R"({"ok":true)")) return "ok";
    constexpr std::string_view name = R"("error":")";
    const std::size_t begin = line.find(name) + name.size();
    return std::string(line.substr(begin, line.find('"', begin) - begin));
  }
  void hear(node::ClientId id, std::optional<std::string_view> line) {
    if (!line) return;
    --waiting;
    const std::string kind = kind_of(*line);
    ++answers[kind];
    // Who was refused tries again a little later.
    const bool is_refused = kind != "ok" && kind != "condition_failed";
    cluster.scheduler().in(is_refused ? 100'000 : 1'000, [this, id, rev = rev_in(*line)] {
      if (asking) ask(id, rev);
    });
  }
};

std::optional<NodeNumber> leader_of(const Cluster& cluster) {
  for (NodeNumber n = 0; n < cluster.size(); ++n)
    if (cluster.machine(n).node && cluster.machine(n).node->raft().is_leader()) return n;
  return std::nullopt;
}

template <class Condition>
bool run_until(Cluster& cluster, std::uint64_t us, const Condition& condition) {
  const std::uint64_t end = cluster.now_us() + us;
  while (!condition() && !cluster.checker().violation() && cluster.run_one(end)) {
  }
  return condition();
}

}  // namespace

TEST_CASE("sim: a hundred clients who set a large document through a follower lose nothing") {
  Cluster cluster(settings_of(1), false);
  cluster.stop_random_faults();
  Writers writers(cluster);
  for (NodeNumber n = 0; n < cluster.size(); ++n) cluster.start(n);
  REQUIRE(run_until(cluster, 5 * second_us, [&] { return leader_of(cluster).has_value(); }));
  const NodeNumber leader = *leader_of(cluster);
  const std::uint64_t terms = cluster.checker().terms_led();
  run_until(cluster, second_us, [] { return false; });
  writers.at = leader == 0 ? 1 : 0;
  constexpr std::uint64_t clients = 100;
  node::ClientId id = Cluster::first_own_connection;
  for (std::uint64_t i = 0; i < clients; ++i) {
    ++id;
    REQUIRE(cluster.open(writers.at, id));
    writers.ask(id, 0);
  }
  run_until(cluster, 8 * second_us, [] { return false; });
  writers.asking = false;
  CHECK(run_until(cluster, 8 * second_us, [&] { return writers.waiting == 0; }));
  CHECK_FALSE(cluster.checker().violation().has_value());
  CHECK(cluster.coverage().of(Action::link_overrun) == 0);
  CHECK(cluster.checker().terms_led() == terms);
  CHECK(writers.answers["outcome_unknown"] == 0);
  CHECK(writers.answers["no_leader"] == 0);
  CHECK(writers.answers["ok"] + writers.answers["condition_failed"] >= 60);
  for (const auto& [kind, count] : writers.answers) MESSAGE(kind, ": ", count);
}

}  // namespace zatt::sim
