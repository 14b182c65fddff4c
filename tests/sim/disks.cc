// SPDX-License-Identifier: AGPL-3.0-or-later
// The disks' side of a simulated cluster: batches that take their time, fail, or never end.
#include <cerrno>
#include <utility>

#include "tests/sim/cluster.h"

namespace zatt::sim {

void Cluster::submit(NodeNumber number, storage::Batch batch) {
  Machine& machine = machines_[number];
  if (machine.batch) checker_.fail(Invariant::durable_before_said, "two batches at once");
  machine.batch = std::move(batch);
  machine.batch_waits = false;
  const std::uint64_t batch_number = ++machine.batch_number;
  machine.syncs_before += std::exchange(machine.sync_times_us, {}).size();
  std::uint64_t latency = settings_.disk_bytes_per_ms > 0
                              ? time_of(*machine.batch, &machine.sync_times_us)
                              : 1 + prng_.below(2 * settings_.disk_mean_us);
  if (faulty_ && prng_.chance(settings_.stall_permyriad, 10'000)) {
    coverage_.count(Action::disk_stalled);
    const std::uint64_t stall_us = prng_.below(settings_.stall_most_us);
    for (std::uint64_t& at_us : machine.sync_times_us) at_us += stall_us;
    latency += stall_us;
  }
  for (std::uint64_t& at_us : machine.sync_times_us) at_us += scheduler_.now_us() + turn_us(number);
  scheduler_.in(turn_us(number) + latency, [this, number, process = machine.process, batch_number] {
    finish_batch(number, process, batch_number);
  });
}

// Each step takes its own time, and a sync that of what was written before.
std::uint64_t Cluster::time_of(const storage::Batch& batch,
                               std::vector<std::uint64_t>* sync_times) {
  using storage::Step;
  std::uint64_t bytes = 0, syncs = 0;
  const auto so_far = [&] {
    return syncs * settings_.sync_us + 1000 * bytes / settings_.disk_bytes_per_ms;
  };
  for (const storage::Step& step : batch.steps) {
    if (step.kind == Step::Kind::write) bytes += step.bytes.size();
    if (step.kind == Step::Kind::fill || step.kind == Step::Kind::read) bytes += step.length;
    if (step.kind == Step::Kind::sync || step.kind == Step::Kind::sync_directory) ++syncs;
    if (sync_times != nullptr && step.kind == Step::Kind::sync) sync_times->push_back(so_far());
  }
  const std::uint64_t us = so_far();
  if (us > 300'000) coverage_.count(Action::long_batch);
  const std::uint64_t percent = prng_.between(75, 125);
  if (sync_times != nullptr)
    for (std::uint64_t& at_us : *sync_times) at_us = 1 + at_us * percent / 100;
  return 1 + us * percent / 100;
}

std::uint64_t Cluster::finished_syncs(NodeNumber number) const {
  const Machine& machine = machines_[number];
  std::uint64_t finished = machine.syncs_before;
  const std::uint64_t until_us = machine.hung ? machine.hung_since_us : scheduler_.now_us();
  for (const std::uint64_t at_us : machine.sync_times_us) finished += at_us <= until_us ? 1U : 0U;
  return finished;
}

// One after the other, beside whatever batch is under way.
void Cluster::read(NodeNumber number, storage::Batch batch) {
  Machine& machine = machines_[number];
  machine.reads.push_back(std::move(batch));
  if (machine.reads.size() == 1) begin_read(number);
}

void Cluster::begin_read(NodeNumber number) {
  const Machine& machine = machines_[number];
  const std::uint64_t latency = settings_.disk_bytes_per_ms > 0
                                    ? time_of(machine.reads.front())
                                    : 1 + prng_.below(2 * settings_.disk_mean_us);
  scheduler_.in(turn_us(number) + latency,
                [this, number, process = machine.process] { finish_read(number, process); });
}

// What it finds is what is there at its end: whatever was done to the file meanwhile.
void Cluster::finish_read(NodeNumber number, std::uint64_t process) {
  Machine& machine = machines_[number];
  if (machine.process != process) return;
  machine.read_waits = machine.hung;
  if (machine.hung) return;
  const storage::Batch batch = std::move(machine.reads.front());
  machine.reads.pop_front();
  if (!machine.reads.empty()) begin_read(number);
  if (faulty_ && !batch.steps.empty() && prng_.chance(settings_.io_error_permyriad, 10'000)) {
    machine.disk->fail_call(0, EIO);
    coverage_.count(Action::read_failed);
  }
  machine.disk->forget_failure();
  auto result = std::make_shared<storage::BatchResult>(storage::run(*machine.disk, batch));
  const std::optional<int> failure = machine.disk->failure();
  machine.disk->clear_faults();
  const auto be_told = [&machine, failure, result](node::Node& node) {
    machine.disk_failure = failure;
    node.on_read(std::move(*result));
  };
  enter(number, process, {{Source::Kind::reads}, be_told});
}

// Of the files that are read while this batch is carried out.
void Cluster::check_untouched(const Machine& machine) {
  using Does = storage::Step::Kind;
  for (const storage::Batch& read : machine.reads)
    for (const storage::Step& from : read.steps)
      for (const storage::Step& step : machine.batch->steps)
        if ((step.kind == Does::rename || step.kind == Does::remove) && step.name == from.name)
          checker_.fail(Invariant::durable_before_said, from.name + " is read and taken away");
  if (!machine.reads.empty()) coverage_.count(Action::read_beside_a_batch);
}

namespace {

// The next sync at or behind this step, the first again behind the last; nothing where there is
// none.
std::optional<std::uint64_t> sync_behind(const storage::Batch& batch, std::uint64_t at) {
  const std::uint64_t steps = batch.steps.size();
  for (std::uint64_t i = 0; i < steps; ++i)
    if (batch.steps[(at + i) % steps].kind == storage::Step::Kind::sync) return (at + i) % steps;
  return std::nullopt;
}

}  // namespace

void Cluster::arm_errors(Machine& machine) {
  const std::uint64_t steps = machine.batch->steps.size();
  if (machine.next_error) {
    machine.disk->fail_call(prng_.below(steps), *machine.next_error, machine.errors_for_good);
    machine.next_error.reset();
    return;
  }
  if (const auto sync = sync_behind(*machine.batch, 0); sync && machine.next_sync_fails) {
    machine.disk->fail_call(*sync, EIO);
    machine.next_sync_fails = false;
    return;
  }
  const bool sync_fails = faulty_ && prng_.chance(settings_.sync_failure_permyriad, 10'000);
  const bool io_fails = faulty_ && prng_.chance(settings_.io_error_permyriad, 10'000);
  if (!sync_fails && !io_fails) return;
  using FailedSync = test::SimDisk::FailedSync;
  static constexpr FailedSync aftermaths[] = {FailedSync::shows_new, FailedSync::shows_old,
                                              FailedSync::reads_fail};
  const FailedSync aftermath = aftermaths[prng_.below(std::size(aftermaths))];
  machine.disk->set_failed_sync(aftermath);
  machine.may_be_unreadable = machine.may_be_unreadable || aftermath == FailedSync::reads_fail;
  using FailedWrite = test::SimDisk::FailedWrite;
  static constexpr FailedWrite parts[] = {FailedWrite::half, FailedWrite::nothing,
                                          FailedWrite::short_write};
  const FailedWrite part = parts[prng_.below(std::size(parts))];
  machine.disk->set_failed_write(part);
  std::uint64_t at = prng_.below(steps);
  if (sync_fails) at = sync_behind(*machine.batch, at).value_or(at);
  machine.disk->fail_call(at, EIO, prng_.chance(1, 4));
  using Step = storage::Step;
  const Step::Kind kind = machine.batch->steps[at].kind;
  coverage_.count(kind == Step::Kind::read ? Action::read_failed
                  : kind == Step::Kind::sync || kind == Step::Kind::sync_directory
                      ? Action::sync_failed
                      : Action::write_failed);
  if ((kind == Step::Kind::write || kind == Step::Kind::fill) && part == FailedWrite::short_write)
    coverage_.count(Action::short_write);
}

void Cluster::finish_batch(NodeNumber number, std::uint64_t process, std::uint64_t batch_number) {
  Machine& machine = machines_[number];
  // A process that stands still does not stop its disk's thread from being done.
  if (machine.process != process || !machine.batch || machine.batch_number != batch_number) return;
  if (machine.hung) {
    machine.batch_waits = true;
    return;
  }
  check_untouched(machine);
  arm_errors(machine);
  const storage::Batch batch = std::move(*machine.batch);
  machine.batch.reset();
  machine.disk->forget_failure();
  auto result = std::make_shared<storage::BatchResult>(storage::run(*machine.disk, batch));
  const std::optional<int> failure = machine.disk->failure();
  machine.disk->clear_faults();
  if (!result->status && result->status.error().sys == ENOSPC) coverage_.count(Action::no_space);
  const auto be_told = [&machine, failure, result](node::Node& node) {
    machine.disk_failure = failure;
    node.on_disk(std::move(*result));
  };
  enter(number, process, {{Source::Kind::disk}, be_told});
}

// The disk was at work when its process ended: it got as far as it got.
void Cluster::break_off_batch(Machine& machine) {
  if (!machine.batch) return;
  coverage_.count(Action::crashed_in_a_write);
  machine.disk->crash_at(prng_.below(machine.batch->steps.size() + 1));
  static_cast<void>(storage::run(*machine.disk, *machine.batch));
}

void Cluster::hang_disk(NodeNumber number) {
  coverage_.count(Action::disk_hung);
  machines_[number].hung = true;
  machines_[number].hung_since_us = scheduler_.now_us();
  log(number, "its disk does not answer any more");
}

void Cluster::free_disk(NodeNumber number) {
  Machine& machine = machines_[number];
  if (!machine.hung) return;
  machine.hung = false;
  log(number, "its disk answers again");
  if (machine.read_waits)
    scheduler_.in(1, [this, number, process = machine.process] { finish_read(number, process); });
  if (!machine.batch_waits) return;
  machine.batch_waits = false;
  scheduler_.in(1, [this, number, process = machine.process, batch = machine.batch_number] {
    finish_batch(number, process, batch);
  });
}

void Cluster::limit_space(NodeNumber number, std::uint64_t more_bytes) {
  Machine& machine = machines_[number];
  machine.disk->limit_space(machine.disk->used_bytes() + more_bytes);
  machine.short_of_space = true;
  log(number, "its disk has room for " + std::to_string(more_bytes) + " bytes more");
}

void Cluster::free_space(NodeNumber number) {
  Machine& machine = machines_[number];
  if (!machine.short_of_space) return;
  machine.short_of_space = false;
  coverage_.count(Action::space_again);
  machine.disk->limit_space(std::nullopt);
  log(number, "its disk has room again");
}

bool Cluster::rot(NodeNumber number, Rot what) {
  Machine& machine = machines_[number];
  std::optional<test::DurableLog::Place> place;
  if (what == Rot::slot) {
    if (machine.process != 0) return false;  // a save under way would be torn besides
    place = machine.durable->slot_place(prng_.below(2));
  } else {
    const auto places = what == Rot::entry ? machine.durable->promised_entries()
                                           : machine.durable->promised_headers();
    if (places.empty()) return false;
    place = places[prng_.below(places.size())];
  }
  if (!place) return false;
  coverage_.count(what == Rot::slot    ? Action::slot_rotted
                  : what == Rot::entry ? Action::entry_rotted
                                       : Action::header_rotted);
  machine.has_rotted = true;
  log(number, "a bit rots in " + place->name + " at " + std::to_string(place->offset));
  machine.disk->flip_bit(place->name, 8 * place->offset + prng_.below(8 * place->length));
  return true;
}

bool Cluster::damage_segment(NodeNumber number) {
  Machine& machine = machines_[number];
  if (machine.process != 0 || machine.is_unusable || machine.is_gone) return false;
  std::vector<std::string> segments;
  for (const std::string& name : machine.disk->names())
    if (name.ends_with(".seg")) segments.push_back(name);
  if (segments.empty()) return false;
  // Mostly the newest: what no other file would miss.
  const std::string& name =
      prng_.chance(2, 3) ? segments.back() : segments[prng_.below(segments.size())];
  const std::uint64_t size = *machine.disk->size(name);
  const std::vector<Term> before = held_by(machine);
  const std::uint64_t way = prng_.below(5);
  if (way == 0) {
    static_cast<void>(machine.disk->remove(name));
    static_cast<void>(machine.disk->sync_directory());
  } else if (way == 1) {
    machine.disk->cut_at_rest(name, 0);
  } else if (way == 2) {
    machine.disk->cut_at_rest(name, prng_.below(size + 1));
  } else {
    std::string bytes(size, '\0');
    if (way == 3)
      for (char& byte : bytes) byte = static_cast<char>(prng_.next() & 0xff);
    machine.disk->overwrite_at_rest(name, 0, bytes);
  }
  coverage_.count(Action::segment_damaged);
  machine.has_rotted = true;
  machine.durable->rescan();
  doubt_what_is_gone(machine, before);
  log(number, name + " is damaged, way " + std::to_string(way) + "; up to entry " +
                  std::to_string(before.size()) + " was there");
  return true;
}

void Cluster::mend(NodeNumber number) {
  Machine& machine = machines_[number];
  machine.next_error.reset();
  machine.next_sync_fails = false;
  machine.paused_until_us = std::min(machine.paused_until_us, scheduler_.now_us() + 1);
  free_space(number);
  free_disk(number);
  hurry_disk(number);
}

void Cluster::hurry_disk(NodeNumber number) {
  const Machine& machine = machines_[number];
  scheduler_.in(1 + prng_.below(2 * settings_.disk_mean_us),
                [this, number, process = machine.process, batch = machine.batch_number] {
                  finish_batch(number, process, batch);
                });
}

}  // namespace zatt::sim
