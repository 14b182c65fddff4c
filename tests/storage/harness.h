// SPDX-License-Identifier: AGPL-3.0-or-later
// A storage on a simulated disk, driven step by step, beside a model of what it was told.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "storage/storage.h"
#include "tests/support/sim_disk.h"

namespace zatt::test {

using zatt::Prng;

struct Line {  // an entry, as the model keeps it
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::string body;
  friend bool operator==(const Line&, const Line&) = default;
};

inline storage::Options options() {
  storage::Options given;
  given.directory = "zatt.0.persist";
  given.segment_bytes = 32 << 10;
  given.mark_after_us = 1000;
  return given;
}

// One process's life on `disk`, again and again.
class Host {
 public:
  explicit Host(SimDisk& disk, storage::Options given = options())
      : given_(std::move(given)), disk_(&disk) {}

  // inspect, then start. False where either failed: see `error`.
  bool start();
  bool inspect_only();
  storage::Storage::Ticket append(std::uint64_t term, std::size_t count, std::size_t body_bytes);
  storage::Storage::Ticket cut(std::uint64_t last);
  // One batch, if there is one.
  bool step();
  // All that is to be done without waiting. False where a batch failed.
  bool work();
  void wait_us(std::uint64_t us) { now_us += us; }
  std::vector<Line> read_all(std::uint64_t max_bytes);

  std::unique_ptr<storage::Storage> storage;
  storage::Storage::Ticket durable = 0;
  std::vector<storage::Storage::ReadDone> reads;
  std::optional<Error> error;
  std::vector<Line> found_entries;
  std::optional<storage::Damage> damage;
  std::vector<std::string> notes;
  std::vector<Line> model;
  std::uint64_t now_us = 1;

 private:
  storage::Options given_;
  SimDisk* disk_;
  std::optional<storage::Found> found_;
  std::uint64_t bodies_ = 0;
};

inline bool Host::inspect_only() {
  found_entries.clear();
  damage.reset();
  notes.clear();
  error.reset();
  auto found = storage::inspect(*disk_, given_, [this](const EntryView& entry) {
    found_entries.push_back({raw(entry.index), raw(entry.term), std::string(entry.body)});
  });
  if (!found) {
    error = found.error();
    return false;
  }
  damage = found->damage;
  notes = found->notes;
  found_ = std::move(*found);
  return true;
}

inline bool Host::start() {
  storage.reset();
  durable = 0;
  if (!inspect_only()) return false;
  storage::HardState state;
  state.self = {"0", 77};
  if (found_->hard_state) state = *found_->hard_state;
  auto started = storage::Storage::start(*disk_, given_, std::move(*found_), state);
  if (!started) {
    error = started.error();
    return false;
  }
  storage = std::move(*started);
  return true;
}

inline storage::Storage::Ticket Host::append(std::uint64_t term, std::size_t count,
                                             std::size_t body_bytes) {
  std::vector<EntryView> views;
  const std::size_t before = model.size();
  for (std::size_t i = 0; i < count; ++i) {
    std::string body = std::to_string(++bodies_) + ":";
    body.resize(std::max(body.size(), body_bytes), static_cast<char>('a' + bodies_ % 26));
    model.push_back({raw(storage->last_index()) + i + 1, term, std::move(body)});
  }
  for (std::size_t i = before; i < model.size(); ++i)
    views.push_back(
        {Index{model[i].index}, Term{model[i].term}, EntryKind::command, model[i].body});
  return storage->append(views);
}

inline storage::Storage::Ticket Host::cut(std::uint64_t last) {
  while (!model.empty() && model.back().index > last) model.pop_back();
  return storage->cut(Index{last});
}

inline bool Host::step() {
  auto batch = storage->take_batch(now_us);
  if (!batch) return false;
  auto done = storage->on_done(storage::run(*disk_, *batch), now_us);
  if (!done.status) error = done.status.error();
  durable = done.durable;
  for (auto& read : done.reads) reads.push_back(std::move(read));
  return true;
}

inline bool Host::work() {
  while (!error && step()) {
  }
  return !error;
}

inline std::vector<Line> Host::read_all(std::uint64_t max_bytes) {
  std::vector<Line> lines;
  while (true) {
    reads.clear();
    const std::uint64_t number = storage->read(Index{lines.size() + 1}, max_bytes);
    if (!work() || reads.size() != 1 || reads[0].number != number) return lines;
    if (reads[0].entries.empty()) return lines;
    for (const auto& entry : reads[0].entries)
      lines.push_back({raw(entry.index), raw(entry.term), entry.body});
  }
}

}  // namespace zatt::test
