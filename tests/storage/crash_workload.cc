// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/storage/crash_workload.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace zatt::test {
namespace {

using Kind = Operation::Kind;

class Script {
 public:
  std::vector<Operation> operations;

  void add(Kind kind, std::uint64_t count = 0, std::uint64_t bytes = 0) {
    operations.push_back({kind, count, bytes});
  }
  void append(std::uint64_t count, std::uint64_t bytes) { add(Kind::append, count, bytes); }
  void write(std::uint64_t count, std::uint64_t bytes) {
    append(count, bytes);
    add(Kind::work);
  }
  // As entries come under load: some batches of one, some that gathered behind another.
  void load(std::uint64_t batches) {
    static constexpr std::uint64_t sizes[] = {10, 600, 0, 2500, 30, 3900, 90};
    for (std::uint64_t i = 0; i < batches; ++i) {
      append(1 + i % 3, sizes[i % std::size(sizes)]);
      if (i % 4 == 2) {
        add(Kind::begin);
        append(2, 40);
      }
      add(Kind::work);
    }
  }
};

// A first start, a vote, a first entry, and silence.
void found(Script& script) {
  script.add(Kind::save, 1);
  script.add(Kind::work);
  script.write(1, 0);
  script.add(Kind::note);
  script.load(9);
}

// A suffix is replaced: within a segment, then over roll-overs, in a batch with what follows.
void truncate(Script& script) {
  script.add(Kind::truncate, 1);
  script.add(Kind::save);
  script.write(1, 300);
  script.load(10);
  script.add(Kind::truncate, 12);
  script.add(Kind::save, 1);
  script.append(2, 70);
  script.add(Kind::note);
  script.load(6);
  script.add(Kind::truncate, 3);  // and nothing new behind it
  script.add(Kind::work);
}

// The process dies: at rest, with a batch gathering, and twice in a row.
void restart(Script& script) {
  script.add(Kind::restart);
  script.load(6);
  script.append(1, 200);
  script.add(Kind::restart);
  script.add(Kind::save, 1);
  script.write(3, 1000);
  script.append(2, 900);
  script.add(Kind::begin);
  script.add(Kind::restart);
  script.add(Kind::restart);
  script.add(Kind::note);
}

// The process dies in the middle of a save, of a note, of a batch that is not synced; it stops.
void die(Script& script) {
  for (std::uint64_t steps = 1; steps <= 4; ++steps) {
    script.add(Kind::save, steps % 2);
    script.add(Kind::die, steps);
  }
  script.write(1, 400);
  script.add(Kind::rest);
  script.append(1, 300);
  script.add(Kind::die, 1);
  script.load(4);
  script.add(Kind::stop);
  script.write(2, 50);
  script.add(Kind::stop);
  script.add(Kind::stop);
}

// What has no room in a segment, a batch over two roll-overs, terms that come faster than entries.
void stretch(Script& script) {
  script.write(1, 30'000);
  script.write(1, 1);
  script.write(9, 4000);
  for (std::uint64_t i = 0; i < 4; ++i) script.add(Kind::save, i % 2);
  script.add(Kind::work);
  script.add(Kind::save, 1);
  script.append(1, 0);
  script.add(Kind::begin);
  script.add(Kind::truncate, 1);  // of what is being written
  script.append(1, 5000);
  script.add(Kind::note);
}

std::vector<Operation> make_workload() {
  Script script;
  found(script);
  truncate(script);
  restart(script);
  stretch(script);
  script.add(Kind::truncate, 40);  // most segments become spares, and are used again
  script.add(Kind::save);
  script.write(2, 20);
  script.load(12);
  truncate(script);
  script.add(Kind::restart);
  die(script);
  script.load(4);
  script.add(Kind::note);
  return std::move(script.operations);
}

bool carry_out(SimDisk& disk, Host& host, const Operation& operation, std::uint64_t& term) {
  switch (operation.kind) {
    case Kind::append:
      host.append(term, operation.count, operation.bytes);
      return true;
    case Kind::truncate:
      host.truncate(host.last() - std::min(host.last(), operation.count));
      return true;
    case Kind::save:
      ++term;
      host.save(term, operation.count == 1 ? std::optional(MemberId{"1", term}) : std::nullopt);
      return true;
    case Kind::begin:
      host.begin();
      return true;
    case Kind::work:
      host.now_us += 300;
      return host.finish() && host.work();
    case Kind::note:
      return host.finish() && host.note();
    case Kind::rest:
      return host.finish() && host.note() && host.note();
    case Kind::restart:
      break;
    case Kind::die:
      if (!host.finish_in_part(operation.count)) return false;
      break;
    case Kind::stop:
      if (!host.finish() || !host.stop()) return false;
      break;
  }
  disk.kill();
  return host.start();
}

}  // namespace

const std::vector<Operation>& crash_workload() {
  static const std::vector<Operation> operations = make_workload();
  return operations;
}

storage::Options crash_options() {
  storage::Options given = options();
  given.segment_bytes = 6 * 4096;
  given.note_every_us = 700;
  given.sync_note_after_us = given.note_after_us;
  return given;
}

void run_crash_workload(SimDisk& disk, Host& host, const std::function<void()>& seen) {
  if (!host.start()) return;
  std::uint64_t term = 0;
  for (const Operation& operation : crash_workload()) {
    if (!carry_out(disk, host, operation, term)) return;
    if (seen) seen();
  }
}

bool run_crash_workload_until(SimDisk& disk, Host& host, std::size_t count) {
  if (!host.start()) return false;
  std::uint64_t term = 0;
  for (std::size_t i = 0; i < count; ++i)
    if (!carry_out(disk, host, crash_workload()[i], term)) return false;
  return true;
}

}  // namespace zatt::test
