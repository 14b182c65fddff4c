// SPDX-License-Identifier: AGPL-3.0-or-later
// What a storage does while the power fails at each of its steps: some two hundred operations,
// always the same.
//
// Between them they meet all that storage/ has: roll-overs and recycled segments, cuts within a
// segment and over several, batches of every size, one batch written while the next gathers, votes
// and terms, notes, restarts. A new kind of operation is a Kind, its case in carry_out() and its
// place in crash_workload().
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tests/storage/harness.h"

namespace zatt::test {

struct Operation {
  enum class Kind : std::uint8_t {
    append,    // `count` entries of `bytes` each, of the present term
    truncate,  // the last `count` entries
    save,      // the next term; a vote in it where `count` is 1
    begin,     // a batch goes to the disk; what follows gathers for the next
    work,      // all that is to be done, and what it leads to
    note,      // the same, then quiet time passes
    rest,      // the same, then so much that the note is synced
    restart,   // kill -9: what gathered or was under way is gone, the page cache is not
    die,       // kill -9 in a batch, when its first `count` steps are done
    stop,      // in good order, and a start
  };
  Kind kind = Kind::work;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

const std::vector<Operation>& crash_workload();
storage::Options crash_options();  // small segments

// All of them from a first start on; stops where the storage did. `seen` is called behind every one
// that the disk has carried out.
void run_crash_workload(SimDisk& disk, Host& host, const std::function<void()>& seen);
// The first `count` of them alone.
bool run_crash_workload_until(SimDisk& disk, Host& host, std::size_t count);

}  // namespace zatt::test
