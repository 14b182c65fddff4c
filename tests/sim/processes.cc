// SPDX-License-Identifier: AGPL-3.0-or-later
// Processes that come and go on simulated machines, and the world as node/env.h shows it to them.
#include <cstdio>
#include <utility>

#include "codec/request.h"
#include "tests/sim/cluster.h"
#include "tests/sim/describe.h"

namespace zatt::sim {

class MachineEnv final : public node::Env {
 public:
  MachineEnv(Cluster& cluster, NodeNumber number, std::uint64_t seed)
      : cluster_(cluster), number_(number), prng_(seed) {}

  std::uint64_t now_us() override {
    return cluster_.node_time(number_, cluster_.scheduler_.now_us());
  }
  std::uint64_t random() override { return prng_.next(); }
  void submit(storage::Batch batch) override { cluster_.submit(number_, std::move(batch)); }
  void dial(std::vector<node::PeerAddress> peers) override {
    for (const node::PeerAddress& peer : peers)
      cluster_.network_.dial(number_, static_cast<NodeNumber>(std::stoul(peer.id)));
  }
  void send(node::LinkId link, node::Priority, std::string frame) override {
    cluster_.judge_.on_frame_sent(number_, frame);
    if (cluster_.verbose_)
      cluster_.log(number_, cluster_.network_.to_text(number_, link) + describe_frame(frame));
    cluster_.network_.send(number_, link, std::move(frame));
  }
  void close_link(node::LinkId link) override { cluster_.network_.close(number_, link); }
  void reply(node::ClientId client, std::string_view lines) override {
    cluster_.judge_.on_reply(number_, lines);
    const std::uint64_t delay = cluster_.network_.delay();
    const std::uint64_t process = cluster_.machines_[number_].process;
    // What was written arrives, even if the node then dies; but in order with its end.
    auto& connection = cluster_.machines_[number_].connections[client];
    connection.last_reply_us =
        std::max(connection.last_reply_us, cluster_.scheduler_.now_us() + delay);
    cluster_.scheduler_.at(connection.last_reply_us,
                           [this_cluster = &cluster_, process, client, text = std::string(lines)] {
                             std::string_view left = text;
                             while (!left.empty()) {
                               const std::size_t end = left.find('\n');
                               this_cluster->workload_.on_reply(client, left.substr(0, end));
                               left.remove_prefix(end + 1);
                             }
                             this_cluster->scheduler_.trace(process);
                           });
  }
  void close_client(node::ClientId) override {}
  void want_lines(node::ClientId client, bool wanted) override {
    cluster_.machines_[number_].connections[client].wanted = wanted;
    if (!wanted) return;
    const std::uint64_t process = cluster_.machines_[number_].process;
    cluster_.scheduler_.in(0, [this_cluster = &cluster_, number = number_, process, client] {
      this_cluster->enter(number, process, [this_cluster, number, client](node::Node&) {
        this_cluster->hand_lines(number, client);
      });
    });
  }
  void log(node::LogLevel, std::string_view line) override { cluster_.log(number_, line); }
  void stop(int exit_code) override { cluster_.machines_[number_].stopped = exit_code; }

 private:
  Cluster& cluster_;
  const NodeNumber number_;
  Prng prng_;
};

void Cluster::log(NodeNumber number, std::string_view line) {
  if (!verbose_) return;
  std::printf("%9.3f ms  node %u: %.*s\n", static_cast<double>(scheduler_.now_us()) / 1000.0,
              number, static_cast<int>(line.size()), line.data());
}

// Clocks start anywhere, and run a little fast or slow.
std::uint64_t Cluster::node_time(NodeNumber number, std::uint64_t us) const {
  const Machine& machine = machines_[number];
  const auto rate = static_cast<std::uint64_t>(1'000'000 + machine.drift_ppm);
  return machine.clock_offset_us + us / 1'000'000 * rate + us % 1'000'000 * rate / 1'000'000;
}

std::uint64_t Cluster::true_time(NodeNumber number, std::uint64_t node_us) const {
  const Machine& machine = machines_[number];
  const auto rate = static_cast<std::uint64_t>(1'000'000 + machine.drift_ppm);
  const std::uint64_t us = node_us - machine.clock_offset_us;
  return us / rate * 1'000'000 + us % rate * 1'000'000 / rate + 1;
}

void Cluster::start_later(NodeNumber number, std::uint64_t after_us) {
  scheduler_.in(after_us, [this, number] { start_process(number); });
}

void Cluster::start_process(NodeNumber number) {
  Machine& machine = machines_[number];
  if (machine.process != 0) return;
  const std::uint64_t env_seed = prng_.next();
  node::Options options;
  options.id = std::to_string(number);
  for (NodeNumber n = 0; n < settings_.nodes; ++n)
    options.cluster[std::to_string(n)] = address_of(n);
  options.storage = "zatt." + options.id + ".persist";
  options.election_timeout_ms = settings_.election_timeout_ms * machine.timeout_percent / 100;
  options.segment_bytes = settings_.segment_bytes;
  options.max_append_bytes = settings_.max_append_bytes;
  options.max_in_flight_bytes = settings_.max_in_flight_bytes;
  options.max_log_bytes = settings_.max_log_bytes;

  if (faulty_ && prng_.below(100) < settings_.crash_in_recovery_percent)
    machine.disk->crash_at(prng_.below(40));
  machine.env = std::make_unique<MachineEnv>(*this, number, env_seed);
  machine.store = std::make_unique<WatchedStore>();
  machine.store->on_apply = [this, number](Index index, std::string_view command) {
    judge_.on_apply(number, index, command);
  };
  auto node =
      node::Node::open(options, *machine.env, *machine.disk, *machine.store, &machine.store->store);
  if (!node) {
    if (!machine.disk->is_crashed()) {
      judge_.fail("node " + options.id + " does not start: " + to_string(node.error()));
      return;
    }
    power_loss(number);
    start_later(number, around(settings_.down_mean_us));
    return;
  }
  machine.disk->clear_faults();
  machine.node = std::move(*node);
  machine.process = ++last_process_;
  machine.stopped.reset();
  machine.wake_at_us = UINT64_MAX;
  judge_.on_start(number);
  log(number, "started");
  enter(number, machine.process, [](node::Node& n) { n.start(); });
}

void Cluster::power_loss(NodeNumber number) {
  Machine& machine = machines_[number];
  const auto mode = test::every_crash[prng_.below(std::size(test::every_crash))];
  machine.disk->crash(prng_, mode);
  machine.disk->clear_faults();
  machine.durable->rescan();
}

void Cluster::end_process(NodeNumber number) {
  Machine& machine = machines_[number];
  log(number, "ends");
  const auto connections = std::exchange(machine.connections, {});
  machine.process = 0;
  machine.batch.reset();
  machine.paused_until_us = 0;
  machine.deferred.clear();
  machine.node.reset();
  machine.store.reset();
  machine.env.reset();
  for (const auto& [id, connection] : connections) {
    const std::uint64_t at = std::max(connection.last_reply_us, scheduler_.now_us()) + 1;
    scheduler_.at(at, [this, client = id] { workload_.on_closed(client); });
  }
}

void Cluster::crash(NodeNumber number) {
  Machine& machine = machines_[number];
  if (machine.process == 0) return;
  const bool power = prng_.below(100) < settings_.power_loss_percent;
  log(number, "durable up to " + std::to_string(raw(machine.durable->last_index())));
  if (machine.batch) {  // the disk was at work: it got as far as it got
    machine.disk->crash_at(prng_.below(machine.batch->steps.size() + 1));
    static_cast<void>(storage::run(*machine.disk, *machine.batch));
  }
  network_.on_process_end(number);
  end_process(number);
  if (power) {
    power_loss(number);
  } else {
    machine.disk->kill();
    machine.disk->clear_faults();
  }
  log(number, (power ? "power lost, durable up to " : "killed, durable up to ") +
                  std::to_string(raw(machine.durable->last_index())));
  start_later(number, around(settings_.down_mean_us));
}

// Everything that happens to a node happens here: the call, what gathered, the judge, the clock.
void Cluster::enter(NodeNumber number, std::uint64_t process,
                    std::function<void(node::Node&)> what) {
  Machine& machine = machines_[number];
  if (machine.process != process || process == 0) return;
  if (machine.paused_until_us > scheduler_.now_us() || !machine.deferred.empty()) {
    if (machine.deferred.empty())
      scheduler_.at(machine.paused_until_us, [this, number, process] { go_on(number, process); });
    machine.deferred.push_back(std::move(what));
    return;
  }
  scheduler_.trace(number);
  what(*machine.node);
  machine.node->flush();
  judge_.after_event(number);
  if (machine.stopped) {
    network_.on_process_end(number);
    end_process(number);
    machine.disk->kill();
    machine.disk->clear_faults();
    start_later(number, around(settings_.down_mean_us));
    return;
  }
  schedule_wake(number);
}

// After a pause, what came meanwhile is handled in the order it came.
void Cluster::go_on(NodeNumber number, std::uint64_t process) {
  Machine& machine = machines_[number];
  if (machine.process != process) return;
  machine.paused_until_us = 0;
  for (auto& what : std::exchange(machine.deferred, {})) enter(number, process, std::move(what));
}

void Cluster::schedule_wake(NodeNumber number) {
  Machine& machine = machines_[number];
  const std::uint64_t wake = machine.node->wake_at_us();
  if (wake == UINT64_MAX) return;
  const std::uint64_t at =
      std::max(true_time(number, std::max(wake, machine.clock_offset_us)), scheduler_.now_us() + 1);
  if (at >= machine.wake_at_us) return;
  machine.wake_at_us = at;
  scheduler_.at(at, [this, number, process = machine.process, at] {
    Machine& m = machines_[number];
    if (m.process != process || m.wake_at_us != at) return;
    m.wake_at_us = UINT64_MAX;
    enter(number, process, [](node::Node& node) { node.on_time(); });
  });
}

void Cluster::submit(NodeNumber number, storage::Batch batch) {
  Machine& machine = machines_[number];
  if (machine.batch) judge_.fail("two batches at once");
  machine.batch = std::move(batch);
  const std::uint64_t batch_number = ++machine.batch_number;
  std::uint64_t latency = 1 + prng_.below(2 * settings_.disk_mean_us);
  if (faulty_ && prng_.chance(settings_.stall_permille, 1000)) latency += prng_.below(3'000'000);
  scheduler_.in(latency, [this, number, process = machine.process, batch_number] {
    finish_batch(number, process, batch_number);
  });
}

void Cluster::finish_batch(NodeNumber number, std::uint64_t process, std::uint64_t batch_number) {
  Machine& machine = machines_[number];
  // A process that stands still does not stop its disk's thread from being done.
  if (machine.process != process || !machine.batch || machine.batch_number != batch_number) return;
  if (faulty_ && prng_.chance(settings_.sync_failure_permyriad, 10'000)) {
    machine.disk->set_failed_sync(prng_.chance(1, 2) ? test::SimDisk::FailedSync::shows_new
                                                     : test::SimDisk::FailedSync::shows_old);
    machine.disk->fail_call(prng_.below(machine.batch->steps.size()), EIO);
  }
  const storage::Batch batch = std::move(*machine.batch);
  machine.batch.reset();
  auto result = std::make_shared<storage::BatchResult>(storage::run(*machine.disk, batch));
  machine.disk->clear_faults();
  enter(number, process, [result](node::Node& node) { node.on_disk(std::move(*result)); });
}

// --- links and clients ---------------------------------------------------------------------------

void Cluster::deliver_link_up(NodeNumber node, node::LinkId link, bool dialed, NodeNumber peer) {
  enter(node, machines_[node].process, [=](node::Node& n) {
    n.on_link_up(link, dialed ? std::optional(std::to_string(peer)) : std::nullopt);
  });
}

void Cluster::deliver_frame(NodeNumber node, node::LinkId link, const std::string& frame) {
  enter(node, machines_[node].process, [=](node::Node& n) { n.on_frame(link, frame); });
}

void Cluster::deliver_link_down(NodeNumber node, node::LinkId link) {
  enter(node, machines_[node].process, [=](node::Node& n) { n.on_link_down(link); });
}

bool Cluster::open(NodeNumber node, node::ClientId connection) {
  Machine& machine = machines_[node];
  if (machine.process == 0) return false;
  machine.connections[connection] = {};
  enter(node, machine.process, [=](node::Node& n) { n.on_client_open(connection); });
  return true;
}

void Cluster::send(NodeNumber node, node::ClientId connection, std::string line) {
  Machine& machine = machines_[node];
  auto it = machine.connections.find(connection);
  if (it == machine.connections.end()) return;
  const std::uint64_t at =
      std::max(it->second.last_line_us, scheduler_.now_us() + network_.delay());
  it->second.last_line_us = at;
  line.append(codec::line_slack, '\0');
  scheduler_.at(at, [this, node, connection, process = machine.process, line = std::move(line)] {
    enter(node, process, [this, node, connection, line](node::Node&) {
      auto found = machines_[node].connections.find(connection);
      if (found == machines_[node].connections.end()) return;
      found->second.held.push_back(line);
      hand_lines(node, connection);
    });
  });
}

void Cluster::hand_lines(NodeNumber number, node::ClientId connection) {
  Machine& machine = machines_[number];
  while (true) {
    const auto it = machine.connections.find(connection);
    if (it == machine.connections.end() || !it->second.wanted || it->second.held.empty()) return;
    const std::string line = std::move(it->second.held.front());
    it->second.held.pop_front();
    machine.node->on_line(connection,
                          std::string_view(line.data(), line.size() - codec::line_slack), false);
  }
}

void Cluster::close(NodeNumber node, node::ClientId connection) {
  Machine& machine = machines_[node];
  machine.connections.erase(connection);
  if (machine.process == 0) return;
  scheduler_.in(network_.delay(), [this, node, connection, process = machine.process] {
    enter(node, process, [=](node::Node& n) { n.on_client_closed(connection); });
  });
}

}  // namespace zatt::sim
