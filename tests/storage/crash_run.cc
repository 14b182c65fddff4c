// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/storage/crash_run.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "tests/storage/crash_workload.h"
#include "tests/storage/harness.h"
#include "tests/support/sim_disk.h"

namespace zatt::test {
namespace {

using FailedSync = SimDisk::FailedSync;
using FailedWrite = SimDisk::FailedWrite;

// Where a mode has more choices than this, as where a whole spare is being filled with zeros, they
// are taken at equal distances, others at each step.
constexpr std::uint64_t most_choices = 64;
constexpr std::uint64_t most_choices_again = 4;  // when a recovery is crashed
constexpr std::uint64_t random_images = 512;
constexpr std::uint64_t random_images_again = 3;
constexpr std::uint64_t late_term = 1000;  // above all of the workload's

struct Choice {
  Crash mode = Crash::all_lost;
  std::uint64_t number = 0;

  std::string label() const { return std::string(to_string(mode)) + " " + std::to_string(number); }
};

std::vector<Choice> choices(const SimDisk& disk, std::uint64_t step, std::uint64_t most,
                            std::uint64_t randoms) {
  const std::uint64_t items = disk.choices(Crash::one_kept);
  if (items == 0) return {Choice{}};  // nothing is in doubt: every crash leaves the same
  std::vector<Choice> all;
  for (const Crash mode : every_crash) {
    if (mode == Crash::random) continue;
    const std::uint64_t count = disk.choices(mode);
    const std::uint64_t stride = std::max<std::uint64_t>(1, (count + most - 1) / most);
    for (std::uint64_t at = step % stride; at < count; at += stride) all.push_back({mode, at});
  }
  for (std::uint64_t at = 0; at < (items < 4 ? 1 << (2 * items) : randoms) && at < randoms; ++at)
    all.push_back({Crash::random, at});
  return all;
}

std::unique_ptr<SimDisk> crashed(const SimDisk& disk, std::uint64_t step, const Choice& choice) {
  Prng prng(step * 1'000'003 + choice.number * 31 + static_cast<std::uint64_t>(choice.mode));
  auto image = disk.clone();
  image->crash(prng, choice.mode, choice.number);
  return image;
}

// What had been handed over when the disk stopped.
std::vector<State> told_by(const Host& host) {
  return host.history.empty() ? std::vector<State>(1) : host.history;
}

// What is wrong with what an inspection found, if anything.
std::string verify(const Host& found, const std::vector<State>& told) {
  const bool nothing_was_promised = told.front().hard_state == storage::HardState{};
  if (!nothing_was_promised) return found.verify(told);
  if (found.error) return "error: " + to_string(*found.error);
  if (found.damage || !found.found_lines.empty()) return "a new directory is not empty";
  return "";
}

// From what was inspected on: it starts, works, and the worst power loss takes nothing of that.
std::string go_on(SimDisk& disk, Host& host) {
  if (!host.start_found()) return "no start: " + to_string(*host.error);
  host.append(late_term, 2, 700);
  if (!host.work()) return "no work: " + to_string(*host.error);
  host.append(late_term, 1, 700);
  Prng prng(1);
  disk.crash(prng, Crash::all_lost);
  host.scan();
  const std::string verdict = host.verify();
  return verdict.empty() ? "" : "after going on: " + verdict;
}

class CrashRun {
 public:
  explicit CrashRun(const CrashRunOptions& options) : options_(options) {}

  CrashRunResult run();

 private:
  void lose_power_at(std::uint64_t step);
  void try_image(const SimDisk& disk, const std::vector<State>& told, std::uint64_t step,
                 const Choice& choice, const std::string& label, bool crash_again);
  void lose_power_in_recovery(const SimDisk& image, const std::vector<State>& told,
                              const std::string& label);
  void fail_at(std::uint64_t step);
  bool fail_with(std::uint64_t step, int error, bool for_good, FailedWrite written,
                 FailedSync synced, const std::string& label);
  std::string verify_failure(SimDisk& disk, const std::vector<State>& told, bool may_be_unreadable);
  bool is_wanted(const std::string& label);
  void count(const std::string& label, const std::string& verdict);

  const CrashRunOptions& options_;
  CrashRunResult result_;
  std::uint64_t recoveries_a_step_ = 0;
};

// The one asked for, what leads to it, and what follows from it.
bool is_on_the_way(const std::string& shorter, const std::string& longer) {
  return longer.starts_with(shorter) &&
         (longer.size() == shorter.size() || longer[shorter.size()] == ',');
}

bool CrashRun::is_wanted(const std::string& label) {
  if (!options_.only.empty() && !is_on_the_way(label, options_.only) &&
      !is_on_the_way(options_.only, label))
    return false;
  if (options_.trying != nullptr) *options_.trying = label;
  return true;
}

void CrashRun::count(const std::string& label, const std::string& verdict) {
  ++(verdict.empty() ? result_.passed : result_.failed);
  if (!verdict.empty() && options_.say) options_.say(label + ": " + verdict);
}

// --- power -----------------------------------------------------------------------------------

void CrashRun::lose_power_at(std::uint64_t step) {
  SimDisk disk;
  Host host(disk, crash_options());
  disk.crash_at_change(step);
  run_crash_workload(disk, host, nullptr);
  const std::vector<State> told = told_by(host);
  const std::vector<Choice> all = choices(disk, step, most_choices, random_images);
  std::vector<bool> crash_again(all.size(), !options_.only.empty());
  Prng prng(step);
  for (std::uint64_t n = 0; n < recoveries_a_step_; ++n) crash_again[prng.below(all.size())] = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string label = "power " + std::to_string(step) + " " + all[i].label();
    if (is_wanted(label)) try_image(disk, told, step, all[i], label, crash_again[i]);
  }
}

void CrashRun::try_image(const SimDisk& disk, const std::vector<State>& told, std::uint64_t step,
                         const Choice& choice, const std::string& label, bool crash_again) {
  const auto image = crashed(disk, step, choice);
  if (crash_again) lose_power_in_recovery(*image, told, label);
  Host host(*image, crash_options());
  host.scan();
  std::string verdict = verify(host, told);
  if (verdict.empty()) verdict = go_on(*image, host);
  ++result_.images;
  count(label, verdict);
}

void CrashRun::lose_power_in_recovery(const SimDisk& image, const std::vector<State>& told,
                                      const std::string& label) {
  ++result_.recoveries;
  for (std::uint64_t step = 0;; ++step) {
    const auto disk = image.clone();
    Host host(*disk, crash_options());
    disk->crash_at_change(step);
    if (host.start()) return;
    if (!disk->is_crashed()) return;  // it can't recover at all: said elsewhere
    for (const Choice& choice : choices(*disk, step, most_choices_again, random_images_again)) {
      const std::string again = label + ", recovery " + std::to_string(step) + " " + choice.label();
      if (is_wanted(again)) try_image(*disk, told, step, choice, again, false);
    }
  }
}

// --- errors ----------------------------------------------------------------------------------

void CrashRun::fail_at(std::uint64_t step) {
  struct Way {
    const char* name;
    int error;
    FailedWrite written;
  };
  const Way ways[] = {{"EIO", EIO, FailedWrite::half},
                      {"ENOSPC", ENOSPC, FailedWrite::nothing},
                      {"short_write", ENOSPC, FailedWrite::short_write}};
  struct Aftermath {
    const char* name;
    FailedSync synced;
  };
  const Aftermath aftermaths[] = {{"shows_new", FailedSync::shows_new},
                                  {"shows_old", FailedSync::shows_old},
                                  {"reads_fail", FailedSync::reads_fail}};
  for (const Way& way : ways) {
    for (const bool for_good : {false, true}) {
      for (const Aftermath& aftermath : aftermaths) {
        const std::string label = "error " + std::to_string(step) + " " + way.name + " " +
                                  (for_good ? "for_good" : "once") + " " + aftermath.name;
        if (!is_wanted(label)) continue;
        if (!fail_with(step, way.error, for_good, way.written, aftermath.synced, label)) break;
      }
    }
  }
}

// False: no sync failed, so that it makes no difference what is left behind one.
bool CrashRun::fail_with(std::uint64_t step, int error, bool for_good, FailedWrite written,
                         FailedSync synced, const std::string& label) {
  SimDisk disk;
  disk.set_failed_sync(synced);
  disk.set_failed_write(written);
  disk.fail_call(step, error, for_good);
  Host host(disk, crash_options());
  run_crash_workload(disk, host, nullptr);
  ++result_.error_runs;
  std::string verdict;
  if (host.error && host.storage &&
      (host.storage->take_batch(~0ULL) || host.storage->wake_at_us() != never_us))
    verdict = "it goes on behind an error";
  const std::vector<State> told = told_by(host);
  const bool has_failed_sync = disk.failed_syncs() > 0;
  disk.clear_faults();
  if (verdict.empty()) verdict = verify_failure(disk, told, synced == FailedSync::reads_fail);
  count(label, verdict);
  return has_failed_sync;
}

// What the page cache shows comes first, and may be more than the device has; a node that was
// started on that has made new promises. And the power fails without such a start.
std::string CrashRun::verify_failure(SimDisk& disk, const std::vector<State>& told,
                                     bool may_be_unreadable) {
  for (const Crash mode : {Crash::all_lost, Crash::all_kept, Crash::random}) {
    const auto image = crashed(disk, 0, {mode, 0});
    Host host(*image, crash_options());
    host.scan();
    std::string verdict = verify(host, told);
    if (verdict.empty()) verdict = go_on(*image, host);
    if (!verdict.empty()) return std::string("power, ") + to_string(mode) + ": " + verdict;
  }
  Host host(disk, crash_options());
  if (!host.scan() && may_be_unreadable && host.error->sys == EIO) return "";
  std::string verdict = verify(host, told);
  if (verdict.empty()) verdict = go_on(disk, host);
  return verdict.empty() ? "" : "page cache: " + verdict;
}

// --- all of it -------------------------------------------------------------------------------

struct Length {
  std::uint64_t calls = 0;
  std::uint64_t changes = 0;
};

Length measure() {
  SimDisk disk;
  Host host(disk, crash_options());
  run_crash_workload(disk, host, nullptr);
  return {disk.calls(), disk.changing_calls()};
}

CrashRunResult CrashRun::run() {
  const Length length = measure();
  const std::uint64_t steps = length.changes + 1;  // the last one: behind all of it
  // Half of the steps leave but one image: nothing is in doubt there.
  recoveries_a_step_ = (options_.recoveries * 3 / 2 + steps - 1) / steps;
  // Scattered: a step that writes and one that syncs take turns, and one of them is quick.
  const auto has_share = [this](std::uint64_t step) {
    return (step * 0x9e37'79b9'7f4a'7c15 >> 40) % options_.of == options_.share;
  };
  const auto is_named = [this](const char* kind, std::uint64_t step) {
    return options_.only.empty() ||
           options_.only.starts_with(kind + (" " + std::to_string(step)) + " ");
  };
  for (std::uint64_t step = 0; step < std::max(steps, length.calls); ++step) {
    if (!has_share(step)) continue;
    if (options_.power && step < steps && is_named("power", step)) lose_power_at(step);
    if (options_.errors && step < length.calls && is_named("error", step)) fail_at(step);
    ++result_.steps;
    if (options_.on_step) options_.on_step();
  }
  return result_;
}

}  // namespace

std::uint64_t crash_run_steps() {
  const Length length = measure();
  return std::max(length.changes + 1, length.calls);
}

CrashRunResult crash_run(const CrashRunOptions& options) {
#ifdef __GLIBC__
  // Each image is a directory made and forgotten: to hand its memory back every time costs more
  // than all that is done with it.
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
  return CrashRun(options).run();
}

}  // namespace zatt::test
