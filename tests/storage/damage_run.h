// SPDX-License-Identifier: AGPL-3.0-or-later
// Whole files are damaged, in every way, in every state that a fixed workload leaves behind.
//
// The states: a clean stop after each operation, a kill -9 after each, and what a power loss leaves
// at each call that changes the disk. The damages: each file removed, emptied, zeroed, cut, its
// tail zeroed, a hole of 4 KiB, noise, another file's bytes, a bit in every stretch. What is found
// then is either all that was promised, or damage whose floor is at or above that, or open; nothing
// else but entries that no log-end record covers may be missed, and nothing at all after a clean
// stop. A repair that the power interrupts leaves no less.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace zatt::test {

struct DamageRunOptions {
  std::uint64_t share = 0;  // of every `of` states this run takes number `share`
  std::uint64_t of = 1;
  std::uint64_t repairs_of = 37;  // of every so many repairs one is interrupted
  std::string only;               // this case alone: as a line that failed begins
  std::function<void(const std::string& line)> say;
};

struct DamageRunResult {
  std::uint64_t states = 0;
  std::uint64_t damages = 0;
  std::uint64_t found = 0;    // as damage, or refused
  std::uint64_t open = 0;     // of these: with an open floor
  std::uint64_t missed = 0;   // what no record covered
  std::uint64_t repairs = 0;  // images of interrupted ones
  std::uint64_t failed = 0;
};

DamageRunResult damage_run(const DamageRunOptions& options);

}  // namespace zatt::test
