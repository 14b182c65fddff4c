// SPDX-License-Identifier: AGPL-3.0-or-later
// A storage on a simulated disk, driven step by step, beside a model of what it was told.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "storage/format.h"
#include "storage/storage.h"
#include "tests/support/sim_disk.h"

namespace zatt::test {

struct Line {  // an entry, as the model keeps it
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::string body;
  friend bool operator==(const Line&, const Line&) = default;
};
using Lines = std::vector<Line>;

// Every entry's time, so that one with another is seen to be wrong.
inline std::uint64_t time_of(std::uint64_t index) { return 1'000'000 + index; }
inline Line line_of(const EntryView& entry) {
  const bool in_time = entry.time_us == time_of(raw(entry.index));
  return {raw(entry.index), raw(entry.term), in_time ? std::string(entry.body) : "at another time"};
}

struct State {  // all that was handed over up to a write
  std::uint64_t write = 0;
  Lines lines;
  storage::HardState hard_state;
};

inline storage::Options options() {
  storage::Options given;
  given.directory = "zatt.0.persist";
  given.segment_bytes = 32 << 10;
  given.note_after_us = 1000;
  return given;
}

// Its number; 0 where there is none.
inline std::uint64_t newest_segment(const SimDisk& disk) {
  std::uint64_t newest = 0;
  for (const std::string& name : disk.names()) {
    const auto parsed = storage::parse_file_name(name);
    if (parsed && parsed->kind == storage::FileKind::segment)
      newest = std::max(newest, parsed->number);
  }
  return newest;
}

inline bool is_prefix(const Lines& shorter, const Lines& longer) {
  return shorter.size() <= longer.size() &&
         std::equal(shorter.begin(), shorter.end(), longer.begin());
}

// One process's segment on `disk`, again and again.
class Host {
 public:
  explicit Host(SimDisk& disk, storage::Options given = options())
      : given_(std::move(given)), disk_(&disk) {}

  bool scan();         // false where it failed: see `error`
  bool start_found();  // behind scan(), once
  bool start();        // both
  std::uint64_t append(std::uint64_t term, std::size_t count, std::size_t body_bytes);
  std::uint64_t truncate(std::uint64_t last);
  std::uint64_t save(std::uint64_t term, std::optional<MemberId> voted_for);
  bool begin();   // takes a batch, if there is one
  bool finish();  // carries it out. False where it failed
  void finish_batch();
  void finish_reads();
  bool step() { return begin() && finish(); }
  bool finish_in_part(std::uint64_t steps);  // of the next batch: the process is to die then
  bool stop();                               // in good order
  bool work();   // all that is to be done without waiting. False where a batch failed
  bool note() {  // and the note of the log's end that follows
    const bool worked = work();
    now_us += given_.note_after_us;
    return worked && work();
  }
  Lines read_all(std::uint64_t max_bytes);

  std::uint64_t last() const { return raw(storage->last_index()); }
  Lines lines() const { return history.back().lines; }
  // What was found is one of the states handed over since the last one known to be durable, or its
  // beginning, and holds all that was promised.
  std::string verify() const { return verify(history); }
  std::string verify(const std::vector<State>& told) const;

  std::unique_ptr<storage::Storage> storage;
  std::uint64_t durable = 0;
  std::uint64_t last_write = 0;
  std::vector<State> history;  // begins with the last state known to be durable
  std::vector<storage::Storage::ReadDone> reads;
  std::optional<Error> error;
  Lines found_lines;
  std::optional<storage::HardState> found_hard_state;
  std::optional<storage::Damage> damage;
  std::vector<std::string> notes;
  std::uint64_t now_us = 1;

 private:
  State& next(storage::Write write);  // its number is given here

  storage::Options given_;
  SimDisk* disk_;
  std::optional<storage::ScanResult> found_;
  std::optional<storage::Batch> batch_;
  std::deque<storage::Batch> reads_;
  std::uint64_t bodies_ = 0;
};

inline bool Host::scan() {
  found_lines.clear();
  found_hard_state.reset();
  damage.reset();
  notes.clear();
  error.reset();
  auto found = storage::scan(
      *disk_, given_, [this](const EntryView& entry) { found_lines.push_back(line_of(entry)); });
  if (!found) {
    error = found.error();
    return false;
  }
  damage = found->damage;
  notes = found->notes;
  found_hard_state = found->hard_state;
  found_ = std::move(*found);
  return true;
}

inline bool Host::start() {
  storage.reset();
  batch_.reset();
  reads_.clear();
  return scan() && start_found();
}

inline bool Host::start_found() {
  storage::HardState state;
  state.self = {"0", 77};
  if (found_hard_state) state = *found_hard_state;
  auto started = storage::Storage::start(*disk_, given_, std::move(*found_), state);
  if (!started) {
    error = started.error();
    return false;
  }
  storage = std::move(*started);
  durable = last_write = 0;
  history.assign(1, State{0, found_lines, storage->hard_state()});
  return true;
}

inline State& Host::next(storage::Write write) {
  write.number = WriteNumber{++last_write};
  storage->write(write);
  history.push_back(history.back());
  history.back().write = last_write;
  return history.back();
}

inline std::uint64_t Host::append(std::uint64_t term, std::size_t count, std::size_t body_bytes) {
  Lines added;
  for (std::size_t i = 0; i < count; ++i) {
    std::string body = std::to_string(++bodies_) + ":";
    body.resize(std::max(body.size(), body_bytes), static_cast<char>('a' + bodies_ % 26));
    added.push_back({last() + i + 1, term, std::move(body)});
  }
  std::vector<EntryView> views;
  for (const Line& line : added)
    views.push_back(
        {Index{line.index}, Term{line.term}, time_of(line.index), EntryKind::command, line.body});
  State& state = next({.append = views});
  state.lines.insert(state.lines.end(), added.begin(), added.end());
  return state.write;
}

inline std::uint64_t Host::truncate(std::uint64_t last) {
  State& state = next({.truncate = Index{last}});
  state.lines.resize(last);
  return state.write;
}

inline std::uint64_t Host::save(std::uint64_t term, std::optional<MemberId> voted_for) {
  storage::HardState hard_state = storage->hard_state();
  hard_state.raft_state.current_term = Term{term};
  hard_state.raft_state.voted_for = std::move(voted_for);
  State& state = next({.hard_state = hard_state});
  state.hard_state = std::move(hard_state);
  return state.write;
}

inline bool Host::begin() {
  while (auto read = storage->take_read(now_us)) reads_.push_back(std::move(*read));
  if (!batch_) batch_ = storage->take_batch(now_us);
  return batch_.has_value() || !reads_.empty();
}

inline bool Host::finish() {
  finish_batch();
  finish_reads();
  return !error;
}

// What was asked for before the batch, and is read after it.
inline void Host::finish_reads() {
  while (!error && !reads_.empty()) {
    const storage::Batch batch = std::move(reads_.front());
    reads_.pop_front();
    auto done = storage->on_read(storage::run(*disk_, batch), now_us);
    if (!done.status) error = done.status.error();
    for (auto& read : done.reads) reads.push_back(std::move(read));
  }
}

inline void Host::finish_batch() {
  if (!batch_) return;
  const storage::Batch batch = std::move(*batch_);
  batch_.reset();
  auto done = storage->on_done(storage::run(*disk_, batch), now_us);
  if (!done.status) error = done.status.error();
  durable = raw(done.durable);
  while (history.size() > 1 && history[1].write <= durable) history.erase(history.begin());
}

inline bool Host::finish_in_part(std::uint64_t steps) {
  begin();
  if (!batch_) return true;
  storage::Batch batch = std::move(*batch_);
  batch_.reset();
  batch.steps.resize(std::min<std::size_t>(batch.steps.size(), steps));
  const auto result = storage::run(*disk_, batch);
  if (!result.status) error = result.status.error();
  return !error;
}

inline bool Host::stop() {
  storage->stop();
  return work() && storage->is_stopped();
}

inline bool Host::work() {
  while (!error && begin()) finish();
  return !error;
}

inline Lines Host::read_all(std::uint64_t max_bytes) {
  Lines lines;
  while (true) {
    reads.clear();
    const std::uint64_t number = storage->read(Index{lines.size() + 1}, max_bytes);
    if (!work() || reads.empty() || reads[0].number != number) return lines;
    if (reads[0].entries.empty()) return lines;
    for (const auto& read : reads)
      for (const Entry& entry : read.entries) lines.push_back(line_of(entry.view()));
  }
}

inline std::string Host::verify(const std::vector<State>& told) const {
  if (error) return "error: " + to_string(*error);
  if (damage) return "false alarm: " + damage->file + ": " + damage->what;
  std::size_t promised = told.front().lines.size();
  bool is_known_log = false;
  bool is_known_hard_state = false;
  for (const State& state : told) {
    promised = std::min(promised, state.lines.size());
    is_known_log = is_known_log || is_prefix(found_lines, state.lines);
    is_known_hard_state = is_known_hard_state || found_hard_state == state.hard_state;
  }
  if (!is_known_hard_state) return "the hard state is none of those saved";
  if (!is_known_log) return "the log is none of those written";
  if (found_lines.size() < promised)
    return "lost: " + std::to_string(found_lines.size()) + " of " + std::to_string(promised);
  return "";
}

inline void lose_power(SimDisk& disk, Crash mode = Crash::all_lost, std::uint64_t seed = 1) {
  Prng prng(seed);
  disk.crash(prng, mode);
}

// Files of one kind, of those that a power loss would leave.
inline std::uint64_t count(const SimDisk& disk, const char* suffix) {
  std::uint64_t n = 0;
  for (const std::string& name : disk.durable_names()) n += name.ends_with(suffix);
  return n;
}

}  // namespace zatt::test
