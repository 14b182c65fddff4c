// SPDX-License-Identifier: AGPL-3.0-or-later
// Processes that come and go on simulated machines, and the world as node/env.h shows it to them.
#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/describe.h"

namespace zatt::sim {

class MachineEnv final : public node::Env {
 public:
  MachineEnv(Cluster& cluster, NodeNumber number, std::uint64_t seed)
      : cluster_(cluster), number_(number), prng_(seed) {}

  std::uint64_t now_us() override { return cluster_.node_time(number_, cluster_.now_of(number_)); }
  std::uint64_t wall_us() override { return cluster_.wall_time(number_); }
  std::uint64_t random() override { return prng_.next(); }
  bool turn_is_over() override {
    const std::uint32_t permille = cluster_.settings_.short_turn_permille;
    return (permille > 0 && prng_.chance(permille, 1000)) || cluster_.turn_is_over(number_);
  }
  void submit(storage::Batch batch) override { cluster_.submit(number_, std::move(batch)); }
  std::uint64_t finished_syncs() override { return cluster_.finished_syncs(number_); }
  void read(storage::Batch batch) override { cluster_.read(number_, std::move(batch)); }
  void dial(std::vector<node::PeerAddress> peers) override {
    for (const node::PeerAddress& peer : peers)
      cluster_.network_.dial(number_, static_cast<NodeNumber>(std::stoul(peer.id)));
  }
  void send(node::LinkId link, node::Priority priority, std::string bytes) override {
    Frame frame;
    frame.bytes = std::move(bytes);
    cluster_.scheduler_.trace(checksum(frame.bytes, number_));
    const std::uint64_t to = cluster_.network_.process_at_other_end(number_, link);
    cluster_.checker_.on_frame_sent(number_, to, frame);
    if (cluster_.verbose_)
      cluster_.log(number_, cluster_.network_.to_text(number_, link) + describe_frame(frame.bytes));
    cluster_.charge(number_, 1, frame.bytes.size());
    if (!cluster_.computes())
      return cluster_.network_.send(number_, link, priority, std::move(frame));
    cluster_.when_computed(number_, [this, link, priority, frame = std::move(frame)] {
      cluster_.network_.send(number_, link, priority, frame);
    });
  }
  std::uint64_t unsent_bytes(node::LinkId link) override {
    return cluster_.network_.unsent_bytes(number_, link);
  }
  void close_link(node::LinkId link) override {
    cluster_.when_computed(number_, [this, link] { cluster_.network_.close(number_, link); });
  }
  void respond(node::ClientId client, const codec::Request& request,
               const codec::Response& response) override {
    cluster_.respond(number_, client, request, response);
  }
  node::Unread unread(node::ClientId client) override {
    const Machine& machine = cluster_.machines_[number_];
    const auto it = machine.connections.find(client);
    const std::uint64_t bytes = it == machine.connections.end() ? 0 : it->second.unread_bytes;
    return {machine.unread_factor * bytes, machine.unread_factor * machine.unread_bytes};
  }
  void make_room() override { cluster_.machines_[number_].room_is_wanted = true; }
  void close_client(node::ClientId) override {}
  void want_requests(node::ClientId client, bool wanted) override {
    cluster_.want_requests(number_, client, wanted);
  }
  void log(node::LogLevel, std::string_view line) override {
    cluster_.log(number_, line);
    // Between nodes that keep to the protocol it is one that does not.
    if (line.find(", which cannot be; ") != std::string_view::npos)
      cluster_.checker_.fail(Invariant::assertion, std::string(line));
  }
  void stop(node::StopReason reason) override { cluster_.machines_[number_].stopped = reason; }

 private:
  Cluster& cluster_;
  const NodeNumber number_;
  Prng prng_;
};

class MachineInstrumentation final : public Instrumentation {
 public:
  MachineInstrumentation(Cluster& cluster, std::uint64_t seed) : cluster_(cluster), prng_(seed) {}

  void hit(CoveragePoint point) override { cluster_.coverage_.count(point); }
  bool inject(FaultPoint point) override {
    const std::uint32_t permille =
        cluster_.settings_.fault_point_permille[static_cast<std::size_t>(point)];
    if (permille == 0 || !cluster_.faulty_ || !prng_.chance(permille, 1000)) return false;
    cluster_.coverage_.count(point);
    return true;
  }

 private:
  Cluster& cluster_;
  Prng prng_;
};

// --- clocks --------------------------------------------------------------------------------------

// Clocks start anywhere, and run a little fast or slow.
std::uint64_t Cluster::node_time(NodeNumber number, std::uint64_t us) const {
  const Machine& machine = machines_[number];
  const std::uint64_t rate = machine.clock_rate_ppm;
  return machine.clock_offset_us + us / 1'000'000 * rate + us % 1'000'000 * rate / 1'000'000;
}

// A wall clock is off by anything up to a day, and is set anew, forwards or back, now and then. A
// function of the moment: nobody's other draws depend on how often it is asked.
std::uint64_t Cluster::wall_time(NodeNumber number) const {
  constexpr std::uint64_t epoch_us = 1'700'000'000'000'000, day_us = 86'400'000'000;
  const std::uint64_t now = scheduler_.now_us();
  const std::uint64_t set_every_us = (1 + number % 5) * 700'000;
  const std::uint64_t off_us =
      checksum_key(checksum_key(settings_.seed, number), now / set_every_us) % day_us;
  return epoch_us + now + off_us;
}

std::uint64_t Cluster::true_time(NodeNumber number, std::uint64_t node_us) const {
  const Machine& machine = machines_[number];
  const std::uint64_t rate = machine.clock_rate_ppm;
  const std::uint64_t us = node_us - machine.clock_offset_us;
  return us / rate * 1'000'000 + us % rate * 1'000'000 / rate + 1;
}

void Cluster::set_clock_rate(NodeNumber number, std::uint64_t ppm) {
  Machine& machine = machines_[number];
  const std::uint64_t now = node_time(number, scheduler_.now_us());
  machine.clock_rate_ppm = ppm;
  machine.clock_offset_us += now - node_time(number, scheduler_.now_us());  // wraps, and back
  machine.wake_at_us = UINT64_MAX;
  if (machine.process != 0) schedule_wake(number);
}

// --- starts --------------------------------------------------------------------------------------

void Cluster::start_later(NodeNumber number, std::uint64_t after_us) {
  scheduler_.in(after_us, [this, number] { start(number); });
}

node::Options Cluster::options_of(NodeNumber number) {
  const Machine& machine = machines_[number];
  node::Options options;
  options.id = std::to_string(number);
  for (NodeNumber n = 0; n < size(); ++n) options.cluster[std::to_string(n)] = address_of(n);
  options.storage = "zatt." + options.id + ".persist";
  options.election_timeout_ms = settings_.election_timeout_ms * machine.timeout_percent / 100;
  options.segment_bytes = machine.segment_bytes;
  options.max_append_bytes = settings_.max_append_bytes;
  options.max_in_flight_bytes = settings_.max_in_flight_bytes;
  options.max_log_bytes = machine.max_log_bytes;
  options.max_request_bytes = 2 << 20;
  if (machine.unread_factor > 1) options.max_buffer_bytes = 1 << 20;
  options.instrumentation = machine.instrumentation.get();
  return options;
}

void Cluster::start(NodeNumber number) {
  Machine& machine = machines_[number];
  if (machine.process != 0 || machine.is_unusable || machine.is_gone) return;
  if (machine.has_rotted) look_again(machine);
  const std::uint64_t env_seed = prng_.next();
  const std::uint64_t probe_seed = prng_.next();
  if (faulty_ && prng_.below(100) < settings_.crash_in_recovery_percent)
    machine.disk->crash_at(prng_.below(40));
  else if (faulty_ && prng_.chance(settings_.io_error_permyriad, 1'000))
    machine.disk->fail_call(prng_.below(40), EIO, false);
  machine.may_fail_to_start = machine.short_of_space || machine.disk->has_faults();
  machine.env = std::make_unique<MachineEnv>(*this, number, env_seed);
  machine.instrumentation = std::make_unique<MachineInstrumentation>(*this, probe_seed);
  machine.room_is_wanted = false;
  machine.unread_factor = machine.instrumentation->inject(FaultPoint::small_buffer) ? 4000 : 1;
  auto node = open_node(number);
  if (!node) return on_start_failed(number, node.error());
  machine.disk->clear_faults();
  machine.node = std::move(*node);
  machine.process = ++last_process_;
  machine.stopped.reset();
  machine.is_stopping = false;
  machine.disk_failure.reset();
  machine.wake_at_us = UINT64_MAX;
  checker_.on_start(number);
  log(number, "started, term " + std::to_string(raw(machine.node->raft().current_term())) +
                  ", log up to " + std::to_string(raw(machine.node->raft().log().last_index())) +
                  (machine.node->raft().is_below_floor()
                       ? ", below its floor, entry " +
                             std::to_string(raw(machine.node->raft().floor().index)) + " of term " +
                             std::to_string(raw(machine.node->raft().floor().term)) +
                             (machine.node->raft().floor().open_term ? " at least" : "")
                       : ""));
  enter(number, machine.process, [](node::Node& n) { n.start(); });
  proposers_.on_process_start(number, machine.process);
}

Result<std::unique_ptr<node::Node>> Cluster::open_node(NodeNumber number) {
  Machine& machine = machines_[number];
  const auto on_apply = [this, number](Index index, std::uint64_t time_us,
                                       std::string_view command) {
    charge(number, 1, command.size());
    checker_.on_apply(number, index, time_us, command);
  };
  if (settings_.has_proposers()) {
    machine.list = std::make_unique<HostList>();
    machine.list->on_apply = on_apply;
    machine.service = std::make_unique<node::HostService>(*machine.list);
  } else {
    auto service = std::make_unique<WatchedService>(machine.hash_seed);
    machine.store = &service->watched;
    machine.store->on_apply = on_apply;
    machine.service = std::move(service);
  }
  return node::Node::open(options_of(number), *machine.env, *machine.disk, *machine.service);
}

void Cluster::on_start_failed(NodeNumber number, const Error& error) {
  Machine& machine = machines_[number];
  machine.store = nullptr;
  machine.service.reset();
  machine.list.reset();
  machine.env.reset();
  log(number, "does not start: " + to_string(error));
  if (machine.disk->is_crashed()) {
    coverage_.count(Action::crashed_in_recovery);
    lose_power(number, test::every_crash[prng_.below(std::size(test::every_crash))]);
  } else if (error.code == Code::io && machine.may_be_unreadable) {
    lose_power(number, test::Crash::all_lost);  // somebody turns it off and on
  } else if (error.code == Code::io && machine.may_fail_to_start) {
    machine.may_be_unreadable = true;  // if it was a sync
    machine.disk->kill();
    machine.disk->clear_faults();
  } else if (error.code == Code::corrupt && machine.has_rotted) {
    // It says which directory to empty, or to replace: a person has to.
    coverage_.count(Action::start_refused);
    machine.is_unusable = true;
    if (faulty_ || settings_.beyond) return;
    empty_directory(number);
  } else {
    checker_.fail(Invariant::liveness,
                  "node " + std::to_string(number) + " does not start: " + to_string(error));
    return;
  }
  if (settings_.restarts) start_later(number, down_us());
}

// --- ends ----------------------------------------------------------------------------------------

void Cluster::end_process(NodeNumber number) {
  Machine& machine = machines_[number];
  network_.on_process_end(number);
  if (machine.clock_stands && machine.paused_until_us > scheduler_.now_us())
    machine.clock_offset_us +=
        node_time(number, machine.paused_until_us) - node_time(number, scheduler_.now_us());
  machine.clock_stands = false;
  machine.process = 0;
  machine.batch.reset();
  machine.batch_waits = false;
  machine.sync_times_us.clear();
  machine.syncs_before = 0;
  machine.reads.clear();
  machine.read_waits = false;
  machine.next_error.reset();
  machine.next_sync_fails = false;
  machine.paused_until_us = machine.went_on_us = machine.ask_until_us = 0;
  machine.asked_before_pause = false;
  machine.deferred.clear();
  machine.turn_ns = machine.busy_until_us = 0;
  machine.node.reset();
  machine.store = nullptr;
  machine.service.reset();
  machine.list.reset();
  machine.env.reset();
  close_connections(number);
  proposers_.on_process_end(number);
}

void Cluster::kill(NodeNumber number) {
  Machine& machine = machines_[number];
  if (machine.process == 0) return;
  break_off_batch(machine);
  end_process(number);
  machine.disk->kill();
  machine.disk->clear_faults();
  log(number, "killed; durable up to " + std::to_string(raw(machine.durable->last_index())));
}

void Cluster::stop(NodeNumber number) {
  if (machines_[number].process == 0) return;
  log(number, "is told to stop");
  const std::uint64_t process = machines_[number].process;
  enter(number, process, [this, number](node::Node& node) {
    machines_[number].is_stopping = true;
    node.shut_down();
  });
  // A disk that hangs does not hold up the end: as server/ has it.
  scheduler_.in(5'000'000, [this, number, process] {
    if (machines_[number].process == process) on_stopped(number);
  });
}

void Cluster::on_stopped(NodeNumber number) {
  Machine& machine = machines_[number];
  if (machine.node->is_idle()) coverage_.count(Action::stopped_in_good_order);
  log(number, "stopped; durable up to " + std::to_string(raw(machine.durable->last_index())));
  end_process(number);
  machine.disk->kill();
  machine.disk->clear_faults();
  if (settings_.restarts) start_later(number, down_us());
}

void Cluster::lose_power(NodeNumber number, test::Crash mode) {
  Machine& machine = machines_[number];
  if (machine.process != 0) {
    break_off_batch(machine);
    end_process(number);
  }
  machine.hung = machine.may_be_unreadable = false;
  const std::vector<std::string> names = machine.disk->names();
  machine.disk->crash(prng_, mode);
  if (machine.disk->names() != names) coverage_.count(Action::name_lost);
  machine.disk->clear_faults();
  look_again(machine);
  log(number, "power lost; durable up to " + std::to_string(raw(machine.durable->last_index())));
}

// What its device holds has changed. Where a bit has rotted, what is gone was promised once.
void Cluster::look_again(Machine& machine) {
  const std::vector<Term> before = held_by(machine);
  machine.durable->rescan();
  if (machine.has_rotted) doubt_what_is_gone(machine, before);
}

// The terms of its log, from entry 1 on.
std::vector<Term> Cluster::held_by(const Machine& machine) {
  std::vector<Term> terms;
  const Index last = machine.durable->whole_up_to();
  for (Index at{1}; at <= last; at = at + 1) terms.push_back(*machine.durable->term_at(at));
  return terms;
}

void Cluster::doubt_what_is_gone(Machine& machine, const std::vector<Term>& before) {
  Index gone{1};
  for (const Term term : before) {
    if (!machine.durable->is_entry_durable(gone, term)) break;
    gone = gone + 1;
  }
  const Index last{before.size()};
  if (gone <= last) {
    const bool is_new = machine.in_doubt_up_to == Index{0};
    machine.in_doubt_from = is_new ? gone : std::min(machine.in_doubt_from, gone);
    if (last > machine.in_doubt_up_to) {
      machine.in_doubt_up_to = last;
      machine.in_doubt_term = before.back();
    }
  }
  machine.durable->doubt_up_to(machine.in_doubt_up_to);
}

// By itself: its disk has failed it, or all others have.
void Cluster::stop_process(NodeNumber number) {
  Machine& machine = machines_[number];
  log(number, "stops: " + std::string(to_string(*machine.stopped)));
  end_process(number);
  machine.disk->kill();
  machine.disk->clear_faults();
  if (settings_.restarts) start_later(number, down_us());
}

void Cluster::empty_directory(NodeNumber number) {
  Machine& machine = machines_[number];
  ZATT_ASSERT(machine.process == 0);
  coverage_.count(Action::wiped);
  log(number, "its directory is emptied");
  checker_.on_wipe(number);
  machine.durable.reset();  // it watches the disk
  machine.disk = std::make_unique<test::SimDisk>();
  machine.durable = std::make_unique<test::DurableLog>(*machine.disk);
  machine.self = {};
  machine.in_doubt_up_to = {};
  machine.is_unusable = machine.has_rotted = machine.hung = machine.short_of_space = false;
}

// --- time passes ---------------------------------------------------------------------------------

// Everything that happens to a node happens here: the call, what gathered, the judge, the clock.
void Cluster::enter(NodeNumber number, std::uint64_t process, Event event) {
  Machine& machine = machines_[number];
  if (machine.process != process || process == 0) return;
  if (std::max(machine.paused_until_us, machine.busy_until_us) > scheduler_.now_us() ||
      !machine.deferred.empty()) {
    machine.deferred.push_back(std::move(event));
    return;
  }
  scheduler_.trace(number);
  event.what(*machine.node);
  end_turn(number);
}

void Cluster::end_turn(NodeNumber number) {
  Machine& machine = machines_[number];
  machine.node->flush();
  checker_.after_event(number);
  check_memory(number);
  if (machine.stopped) {
    checker_.on_stop(number);
    stop_process(number);
    return;
  }
  if (machine.is_stopping && machine.node->is_idle()) return on_stopped(number);
  machine.disk_failure.reset();
  pause_if_in_a_round(number);
  if (computes()) be_busy(number);
  schedule_wake(number);
}

void Cluster::schedule_wake(NodeNumber number) {
  Machine& machine = machines_[number];
  const std::uint64_t wake = machine.node->wake_at_us();
  if (wake == UINT64_MAX) return;
  const std::uint64_t least = node_time(number, scheduler_.now_us());
  const std::uint64_t at =
      std::max(true_time(number, std::max(wake, least)), scheduler_.now_us() + 1);
  if (at >= machine.wake_at_us) return;
  machine.wake_at_us = at;
  scheduler_.at(at, [this, number, process = machine.process, at] {
    Machine& m = machines_[number];
    if (m.process != process || m.wake_at_us != at) return;
    m.wake_at_us = UINT64_MAX;
    if (m.paused_until_us <= scheduler_.now_us())
      enter(number, process, [](node::Node& node) { node.on_time(); });
  });
}

}  // namespace zatt::sim
