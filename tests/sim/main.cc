// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt-sim: runs seeds, each a cluster's bad day, and says which did not end well.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "tests/scenario/text.h"
#include "tests/sim/runner.h"

namespace {

using zatt::sim::Fault;
using zatt::sim::Faults;
using zatt::sim::RunnerOptions;

constexpr const char* help =
    "zatt-sim: whole nodes over a simulated network, disk and clock, from one seed each\n"
    "\n"
    "  --seeds N        run N seeds (default 200)\n"
    "  --minutes M      as many as fit into M minutes, and at least N where --seeds says so\n"
    "  --seconds S      the same in seconds\n"
    "  --first S        from this one on (default 1)\n"
    "  --seed S         this one alone\n"
    "  --scenario FILE  play this one, as tests/scenario/README.md has it\n"
    "  --trace          and tell what happens in it, in the paper's terms\n"
    "  --jobs N         at once (default: one a core)\n"
    "  --twice          each seed twice: the same must happen\n"
    "  --hashes         print each seed's hash of all that happened, and nothing else\n"
    "  --coverage       print how often each rare thing was seen; fail where one never was\n"
    "\n"
    "  --crash-run      no seeds, but the storage alone, crashed at every step in every way\n"
    "  --depth 2        and again while it recovers\n"
    "  --image TEXT     this case alone, as a failure names it\n"
    "\n"
    "What a seed draws from:\n"
    "  --standard       120 s of faults and 60 s to be well again, not 12 and 8\n"
    "  --only LIST      no classes of faults but these, by commas; \"none\" for none\n"
    "  --without LIST   not these\n"
    "  --beyond         more faults than the promises cover: only safety is asked for\n"
    "  --within         never that many (a twelfth of the seeds has them)\n"
    "  --machine        nodes with a machine of their host's own, and proposals and barriers to "
    "it\n"
    "  --dictionary     never those (a tenth of the seeds has them)\n"
    "  --nodes N        so many nodes\n"
    "  --rate N         so many requests a second\n"
    "\n"
    "Classes of faults:";

constexpr const char* help_end =
    "\n"
    "The last line says how many passed and failed. Exit status: 0 all held, 1 something else,\n"
    "2 usage, 20 + n: invariant In was broken first (tests/sim/README.md lists them).\n";

void print_help() {
  std::fputs(help, stdout);
  for (std::size_t i = 0; i < static_cast<std::size_t>(Fault::count_); ++i)
    std::printf(" %s", zatt::sim::name_of(static_cast<Fault>(i)));
  std::printf("\n%s", help_end);
}

[[noreturn]] void misused(const std::string& why) {
  std::fprintf(stderr, "zatt-sim: %s; zatt-sim --help says more\n", why.c_str());
  std::exit(2);
}

std::uint64_t number_of(std::string_view flag, const char* text) {
  const auto value = zatt::to_number<std::uint64_t>(text == nullptr ? "" : text);
  if (value) return *value;
  misused(std::string(flag) + " wants a number");
}

Faults faults_of(std::string_view flag, const char* text) {
  Faults faults;
  if (text == nullptr) misused(std::string(flag) + " wants classes of faults");
  std::string_view left = text;
  if (left == "none") return faults;
  while (!left.empty()) {
    const std::string_view name = left.substr(0, left.find(','));
    const auto fault = zatt::sim::fault_named(name);
    if (!fault) misused("no class of faults is called \"" + std::string(name) + "\"");
    faults.set(static_cast<std::size_t>(*fault));
    left.remove_prefix(std::min(left.size(), name.size() + 1));
  }
  return faults;
}

// Whether the flag was one without a value.
bool take_switch(std::string_view flag, RunnerOptions& options) {
  if (flag == "--trace")
    options.trace = true;
  else if (flag == "--twice")
    options.twice = true;
  else if (flag == "--hashes")
    options.hashes = true;
  else if (flag == "--coverage")
    options.coverage = true;
  else if (flag == "--crash-run")
    options.crash_run = true;
  else if (flag == "--standard")
    options.choice.length = zatt::sim::Length::standard;
  else if (flag == "--beyond")
    options.choice.beyond = true;
  else if (flag == "--within")
    options.choice.beyond = false;
  else if (flag == "--machine")
    options.choice.own_machine = true;
  else if (flag == "--dictionary")
    options.choice.own_machine = false;
  else
    return false;
  return true;
}

bool take_value(std::string_view flag, const char* text, RunnerOptions& options) {
  if (flag == "--seeds")
    options.seeds = number_of(flag, text);
  else if (flag == "--minutes")
    options.seconds = 60 * number_of(flag, text);
  else if (flag == "--seconds")
    options.seconds = number_of(flag, text);
  else if (flag == "--first")
    options.first = number_of(flag, text);
  else if (flag == "--seed")
    options.alone = number_of(flag, text);
  else if (flag == "--jobs")
    options.jobs = std::max<std::uint64_t>(1, number_of(flag, text));
  else if (flag == "--depth")
    options.depth = number_of(flag, text);
  else if (flag == "--image")
    options.image = text == nullptr ? "" : text;
  else if (flag == "--only")
    options.choice.only = faults_of(flag, text);
  else if (flag == "--without")
    options.choice.without = faults_of(flag, text);
  else if (flag == "--nodes")
    options.choice.nodes = static_cast<std::uint32_t>(number_of(flag, text));
  else if (flag == "--rate")
    options.choice.requests_per_s = number_of(flag, text);
  else
    return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  RunnerOptions options;
  options.seeds = UINT64_MAX;
  const char* scenario = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--help" || flag == "-h") {
      print_help();
      return 0;
    }
    if (take_switch(flag, options)) continue;
    const char* value = ++i < argc ? argv[i] : nullptr;
    if (flag == "--scenario") {
      if (value == nullptr) misused("--scenario wants a file");
      scenario = value;
    } else if (!take_value(flag, value, options)) {
      misused("unknown option " + std::string(flag));
    }
  }
  if (options.alone && (options.seconds > 0 || options.seeds != UINT64_MAX))
    misused("--seed is one alone; many are --seeds, --minutes or --seconds");
  if (options.seeds == UINT64_MAX) options.seeds = options.seconds > 0 ? 1 : 200;
  if (options.choice.nodes && (*options.choice.nodes < 1 || *options.choice.nodes > 7))
    misused("--nodes wants 1 to 7");
  if (options.crash_run) return zatt::sim::run_crashes(options);
  if (scenario != nullptr) return zatt::test::run_scenario(scenario, options.trace);
  return options.alone ? zatt::sim::run_alone(options) : zatt::sim::run_many(options);
}
