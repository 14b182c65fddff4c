// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/storage/damage_run.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "storage/slots.h"
#include "tests/storage/crash_workload.h"
#include "tests/storage/harness.h"
#include "tests/support/sim_disk.h"

namespace zatt::test {
namespace {

using Place = std::pair<std::uint64_t, std::uint64_t>;  // (term, index)

constexpr std::uint64_t page = 4096;

// What was promised when a state was left behind.
struct Promise {
  std::vector<State> told;
  bool is_clean = false;

  std::size_t entries() const {
    std::size_t least = told.front().lines.size();
    for (const State& state : told) least = std::min(least, state.lines.size());
    return least;
  }
  // The least that a floor must be.
  Place top() const {
    const std::size_t count = entries();
    if (count == 0) return {};
    const Line& line = told.front().lines[count - 1];
    return {line.term, line.index};
  }
};

struct Damaged {
  std::string name;  // of the damage
  bool is_whole_file = false;
  std::unique_ptr<SimDisk> disk;
};

std::string noise(std::uint64_t size, std::uint64_t seed) {
  Prng prng(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(prng.next() & 0xff);
  return bytes;
}

// Every damage of one file.
class Damages {
 public:
  Damages(const SimDisk& disk, std::vector<std::string> names, std::string file)
      : disk_(disk), names_(std::move(names)), file_(std::move(file)) {
    const auto clone = disk_.clone();
    size_ = *clone->size(file_);
  }

  std::vector<Damaged> all() {
    std::vector<Damaged> damaged;
    add(damaged, "removed", true, [](SimDisk& d, const std::string& f) {
      static_cast<void>(d.remove(f));
      static_cast<void>(d.sync_directory());
    });
    for (std::uint64_t size = 0; size < size_; size += cut_stride())
      add(damaged, "cut at " + std::to_string(size), true,
          [size](SimDisk& d, const std::string& f) { d.cut_at_rest(f, size); });
    overwrite(damaged, "zeroed", true, 0, std::string(size_, '\0'));
    overwrite(damaged, "noise", true, 0, noise(size_, size_));
    for (const std::string& other : names_)
      if (other != file_) overwrite(damaged, "bytes of " + other, true, 0, bytes_of(other));
    for (std::uint64_t at = stride(); at < size_; at += stride())
      overwrite(damaged, "zeroed from " + std::to_string(at), false, at,
                std::string(size_ - at, '\0'));
    for (std::uint64_t at = 0; at < size_; at += stride())
      overwrite(damaged, "hole at " + std::to_string(at), false, at, std::string(page, '\0'));
    for (std::uint64_t at = 0; at < size_; at += stride())
      add(damaged, "bit at " + std::to_string(at), false,
          [at](SimDisk& d, const std::string& f) { d.flip_bit(f, (at + 21) * 8); });
    return damaged;
  }

 private:
  // The hard state has its places far apart, a segment has a batch in each page.
  std::uint64_t stride() const { return file_ == "hard_state" ? 16 * page : page; }
  std::uint64_t cut_stride() const { return file_ == "hard_state" ? 16 * page : 2 * page + 700; }

  std::string bytes_of(const std::string& other) const {
    std::string bytes = *disk_.clone()->read(other, 0, size_);
    bytes.resize(size_, '\0');
    return bytes;
  }
  template <class Spoil>
  void add(std::vector<Damaged>& out, const std::string& name, bool is_whole_file, Spoil spoil) {
    auto disk = disk_.clone();
    spoil(*disk, file_);
    out.push_back({file_ + " " + name, is_whole_file, std::move(disk)});
  }
  void overwrite(std::vector<Damaged>& out, const std::string& name, bool is_whole_file,
                 std::uint64_t at, const std::string& bytes) {
    const std::uint64_t room = size_ - at;
    add(out, name, is_whole_file, [&](SimDisk& d, const std::string& f) {
      d.overwrite_at_rest(f, at, std::string_view(bytes).substr(0, room));
    });
  }

  const SimDisk& disk_;
  std::vector<std::string> names_;
  std::string file_;
  std::uint64_t size_ = 0;
};

class DamageRun {
 public:
  explicit DamageRun(const DamageRunOptions& options) : options_(options) {}
  DamageRunResult run();

 private:
  void after_operation(std::size_t count);
  void at_power_loss(std::uint64_t step);
  void try_state(const SimDisk& disk, const Promise& promise, const std::string& label);
  void try_damage(SimDisk& disk, bool is_whole_file, const Promise& promise, std::uint64_t covered,
                  const std::string& label);
  std::string verify(const Host& host, bool is_whole_file, const Promise& promise,
                     std::uint64_t covered);
  std::string verify_floor(const Host& host, const Promise& promise) const;
  void interrupt_repair(const SimDisk& disk, const Promise& promise, const std::string& label);
  std::string go_on(SimDisk& disk) const;
  bool is_wanted(const std::string& label) const {
    return options_.only.empty() || label.starts_with(options_.only) ||
           options_.only.starts_with(label);
  }
  void say(const std::string& label, const std::string& verdict) {
    if (verdict.empty()) return;
    ++result_.failed;
    if (options_.say) options_.say(label + ": " + verdict);
  }

  const DamageRunOptions& options_;
  DamageRunResult result_;
  std::uint64_t repairs_seen_ = 0;
};

// --- the states ------------------------------------------------------------------------------

void DamageRun::after_operation(std::size_t count) {
  for (const bool is_clean : {true, false}) {
    const std::string label =
        std::string(is_clean ? "stop" : "kill") + " " + std::to_string(count) + ", ";
    if (!is_wanted(label)) continue;
    SimDisk disk;
    Host host(disk, crash_options());
    if (!run_crash_workload_until(disk, host, count)) return;
    if (is_clean && !(host.finish() && host.stop())) return;
    Promise promise{host.history, is_clean};
    disk.kill();
    try_state(disk, promise, label);
  }
}

void DamageRun::at_power_loss(std::uint64_t step) {
  for (const Crash mode : {Crash::all_lost, Crash::all_kept, Crash::random}) {
    const std::string label = "power " + std::to_string(step) + " " + to_string(mode) + ", ";
    if (!is_wanted(label)) continue;
    SimDisk disk;
    Host host(disk, crash_options());
    disk.crash_at_change(step);
    run_crash_workload(disk, host, nullptr);
    if (host.history.empty()) return;  // before the first start was done nothing was promised
    Promise promise{host.history, false};
    Prng prng(step);
    disk.crash(prng, mode);
    try_state(disk, promise, label);
  }
}

void DamageRun::try_state(const SimDisk& disk, const Promise& promise, const std::string& label) {
  ++result_.states;
  const auto pristine = disk.clone();
  auto slots = storage::read_slots(*pristine);
  if (!slots) return say(label, "the hard state is unreadable before any damage");
  const std::uint64_t covered = raw(slots->log_end.end.index);
  std::vector<std::string> names;
  for (const std::string& name : disk.names())
    if (name.ends_with(".seg") || name == "hard_state") names.push_back(name);
  for (const std::string& name : names) {
    if (!is_wanted(label + name)) continue;
    for (Damaged& damaged : Damages(disk, names, name).all()) {
      const std::string full = label + damaged.name;
      if (options_.only.empty() || full.starts_with(options_.only))
        try_damage(*damaged.disk, damaged.is_whole_file, promise, covered, full);
    }
  }
}

// --- the verdict -----------------------------------------------------------------------------

void DamageRun::try_damage(SimDisk& disk, bool is_whole_file, const Promise& promise,
                           std::uint64_t covered, const std::string& label) {
  ++result_.damages;
  const auto before = disk.clone();
  Host host(disk, crash_options());
  host.scan();
  if (host.error) {  // refused: nothing is served and nothing was written
    ++result_.found;
    if (host.error->code != Code::corrupt && host.error->code != Code::foreign)
      say(label, "refused: " + to_string(*host.error));
    return;
  }
  say(label, verify(host, is_whole_file, promise, covered));
  if (!host.damage) return;
  ++result_.found;
  if (host.damage->floor_is_open) ++result_.open;
  if (++repairs_seen_ % options_.repairs_of == 0 || !options_.only.empty())
    interrupt_repair(*before, promise, label);
}

std::string DamageRun::verify(const Host& host, bool is_whole_file, const Promise& promise,
                              std::uint64_t covered) {
  if (host.damage) return verify_floor(host, promise);
  const std::string verdict = host.verify(promise.told);
  if (verdict.empty()) return "";
  const bool is_beginning =
      std::any_of(promise.told.begin(), promise.told.end(),
                  [&](const State& state) { return is_prefix(host.found_lines, state.lines); });
  if (promise.is_clean || is_whole_file || !is_beginning || host.found_lines.size() < covered)
    return "missed: " + verdict;
  ++result_.missed;
  return "";
}

// What this directory's next start would hold itself to.
std::string DamageRun::verify_floor(const Host& host, const Promise& promise) const {
  Place floor;
  bool is_open = false;
  if (host.found_hard_state) {
    floor = {raw(host.found_hard_state->raft_state.floor.term),
             raw(host.found_hard_state->raft_state.floor.index)};
    is_open = host.found_hard_state->raft_state.floor.open_term.has_value();
  }
  if (host.damage) {
    floor = std::max(floor, {raw(host.damage->floor_term), raw(host.damage->floor_index)});
    is_open = is_open || host.damage->floor_is_open;
    if (promise.is_clean && host.damage->floor_is_open) return "open after a clean stop";
  }
  if (is_open || floor >= promise.top()) return "";
  return "a floor of " + std::to_string(floor.second) + " in term " + std::to_string(floor.first) +
         " below what was promised, " + std::to_string(promise.top().second) + " in term " +
         std::to_string(promise.top().first);
}

// The power fails at each step of the start that repairs: the floor is there afterwards, or the
// damage is still found.
void DamageRun::interrupt_repair(const SimDisk& disk, const Promise& promise,
                                 const std::string& label) {
  for (std::uint64_t step = 0;; ++step) {
    const auto crashing = disk.clone();
    Host host(*crashing, crash_options());
    crashing->crash_at_change(step);
    const bool is_through = host.start();
    if (!is_through && !crashing->is_crashed()) return;  // it can't start: said elsewhere
    for (const Crash mode :
         {Crash::all_lost, Crash::all_kept, Crash::torn_last, Crash::random, Crash::reversed}) {
      const auto image = crashing->clone();
      Prng prng(step);
      image->crash(prng, mode);
      Host next(*image, crash_options());
      next.scan();
      ++result_.repairs;
      const std::string where = label + ", repair " + std::to_string(step) + " " + to_string(mode);
      if (next.error)
        say(where, "refused: " + to_string(*next.error));
      else if (const bool is_whole = next.found_lines.size() >= promise.entries() &&
                                     next.verify(promise.told).empty();
               !is_whole)
        say(where, verify_floor(next, promise));
    }
    if (is_through) return say(label, go_on(*crashing));
  }
}

// A repaired directory segments on, and raises no alarm for what was damaged once.
std::string DamageRun::go_on(SimDisk& disk) const {
  Host host(disk, crash_options());
  disk.clear_faults();
  if (!host.start()) return "no start after a repair: " + to_string(*host.error);
  if (host.damage) return "the same damage is found after its repair: " + host.damage->what;
  host.append(1000, 2, 700);
  if (!host.work()) return "no work after a repair";
  Prng prng(1);
  disk.crash(prng, Crash::all_lost);
  host.scan();
  const std::string verdict = host.verify();
  return verdict.empty() ? "" : "after a repair: " + verdict;
}

DamageRunResult DamageRun::run() {
  SimDisk disk;
  Host host(disk, crash_options());
  run_crash_workload(disk, host, nullptr);
  const std::uint64_t operations = crash_workload().size();
  const std::uint64_t steps = disk.changing_calls();
  const auto has_share = [this](std::uint64_t n) {
    return (n * 0x9e37'79b9'7f4a'7c15 >> 40) % options_.of == options_.share;
  };
  for (std::uint64_t n = 1; n <= operations; ++n)
    if (has_share(n)) after_operation(n);
  for (std::uint64_t step = 0; step < steps; ++step)
    if (has_share(operations + step)) at_power_loss(step);
  return result_;
}

}  // namespace

DamageRunResult damage_run(const DamageRunOptions& options) { return DamageRun(options).run(); }

}  // namespace zatt::test
