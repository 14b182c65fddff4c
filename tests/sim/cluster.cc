// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/cluster.h"

#include <cstdio>

namespace zatt::sim {
namespace {

// Between half of it and twice as much.
std::uint64_t around(Prng& prng, std::uint64_t base) {
  return prng.between(base - base / 2, 2 * base);
}

Event from_link(node::LinkId link, std::function<void(node::Node&)> what) {
  return {{Source::Kind::link, raw(link)}, std::move(what)};
}

// What may differ from node to node and must not show in what they agree on.
void draw_limits(const Settings& settings, Prng& prng, Machine& machine) {
  const std::uint64_t segment_bytes = around(prng, settings.segment_bytes);
  const std::uint64_t max_log_bytes = around(prng, settings.max_log_bytes);
  machine.segment_bytes = settings.own_limits ? segment_bytes : settings.segment_bytes;
  machine.max_log_bytes = settings.own_limits ? max_log_bytes : settings.max_log_bytes;
  machine.hash_seed = prng.next();
}

}  // namespace

Cluster::Cluster(const Settings& settings, bool verbose)
    : settings_(settings),
      verbose_(verbose),
      prng_(settings.seed ^ 0xc1057e4),
      machines_(settings.nodes),
      checker_(machines_, coverage_),
      network_(settings_, scheduler_, *this, coverage_),
      workload_(settings_, scheduler_, *this, coverage_),
      proposers_(settings_, scheduler_, *this, coverage_) {
  Prng limits(settings.seed ^ 0x11417);
  for (Machine& machine : machines_) {
    draw_limits(settings, limits, machine);
    machine.disk = std::make_unique<test::SimDisk>();
    machine.durable = std::make_unique<test::DurableLog>(*machine.disk);
    const std::uint64_t range = settings.drift_ppm;
    machine.clock_rate_ppm = 1'000'000 - range + prng_.below(2 * range + 1);
    machine.timeout_percent = 100 + prng_.below(settings.skew_percent + 1);
    machine.clock_offset_us = prng_.below(1'000'000'000);
  }
  if (verbose)
    checker_.on_change = [this](const std::string& id, const std::string& what) {
      tell("node " + id + ": " + what);
    };
}

Cluster::~Cluster() = default;

void Cluster::tell(const std::string& line) {
  if (!verbose_) return;
  std::printf("%10.3f ms  %s\n", static_cast<double>(scheduler_.now_us()) / 1000.0, line.c_str());
}

void Cluster::log(NodeNumber number, std::string_view line) {
  if (verbose_) tell("node " + std::to_string(number) + ": " + std::string(line));
}

// --- links ---------------------------------------------------------------------------------------

void Cluster::deliver_link_up(NodeNumber node, node::LinkId link, bool dialed, NodeNumber peer) {
  enter(node, machines_[node].process, from_link(link, [=](node::Node& n) {
          n.on_link_up(link, dialed ? std::optional(std::to_string(peer)) : std::nullopt);
        }));
}

void Cluster::deliver_frame(NodeNumber node, node::LinkId link, const Frame& frame) {
  const Machine& machine = machines_[node];
  if (frame.kind != Kind::piece && machine.node && machine.node->raft().current_term() > frame.term)
    coverage_.count_late(frame.kind);
  enter(node, machine.process, from_link(link, [=, this](node::Node& n) {
          charge(node, 1, frame.bytes.size());
          n.on_frame(link, frame.bytes);
        }));
}

void Cluster::deliver_link_down(NodeNumber node, node::LinkId link) {
  enter(node, machines_[node].process,
        from_link(link, [=](node::Node& n) { n.on_link_down(link); }));
}

// Every event ends with a flush, which is all that it takes.
void Cluster::deliver_link_room(NodeNumber node, node::LinkId link) {
  enter(node, machines_[node].process, from_link(link, [](node::Node&) {}));
}

}  // namespace zatt::sim
