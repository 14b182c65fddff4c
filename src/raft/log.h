// SPDX-License-Identifier: AGPL-3.0-or-later
// The log as the core sees it: the term of each index, and the newest entries themselves.
//
// It begins after its base, the (index, term) of the last entry that a snapshot stands for; without
// one that is (0, 0). Terms are kept as runs, a few bytes each, so they are always at hand. Bodies
// are kept for the newest entries only; older ones are on disk, and are fetched for a follower that
// far behind.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/types.h"

namespace zatt::raft {

class Log {
 public:
  Log() = default;
  Log(Index base_index, Term base_term)
      : base_index_(base_index), base_term_(base_term), last_index_(base_index) {}

  Index base_index() const { return base_index_; }
  Index first_index() const { return base_index_ + 1; }
  Index last_index() const { return last_index_; }
  Term last_term() const { return runs_.empty() ? base_term_ : runs_.back().term; }
  // The last entry's; 0 of none. After a truncation below what is in memory, maybe a later one.
  std::uint64_t last_time_us() const { return last_time_us_; }
  Index first_in_memory() const { return last_index_ + 1 - entries_.size(); }
  bool in_memory(Index index) const { return index >= first_in_memory() && index <= last_index_; }

  // `index` is from base_index to last_index.
  Term term_at(Index index) const;
  // Whether (index, term) is in this log or its base: the check of AppendEntries, rule 2.
  bool holds(Index index, Term term) const;
  // The last index, at or below `index`, whose term is not above `term`: where two logs may meet.
  // 0 where that is not known of any, for they lie below the base.
  Index last_at_or_below(Index index, Term term) const;

  const Entry& at(Index index) const;  // in memory
  // The entries from `first` on that are in memory, at least one, up to about max_bytes.
  std::vector<EntryView> slice(Index first, Index last, std::uint64_t max_bytes) const;

  // At last_index + 1, with no term below last_term.
  void append(Term term, std::uint64_t time_us, EntryKind kind, std::string body);
  void truncate(Index last);  // drops what is above; never the base
  // Forgets the bodies of the oldest entries, up to `limit`, while they hold over max_bytes.
  void forget(Index limit, std::uint64_t max_bytes);
  std::uint64_t bytes_in_memory() const { return bytes_; }

 private:
  struct Run {
    Index first;
    Term term;
  };
  // The run that `index` lies in, which is above the base.
  std::vector<Run>::const_iterator run_of(Index index) const;

  Index base_index_{};
  Term base_term_{};
  std::vector<Run> runs_;  // from first_index on; ascending; a run ends where the next begins
  std::deque<Entry> entries_;
  Index last_index_{};
  std::uint64_t last_time_us_ = 0;
  std::uint64_t bytes_ = 0;
};

// What an entry costs in memory, about: the same on every machine, for it decides what is sent
// when.
inline constexpr std::uint64_t entry_bytes = 64;
inline std::uint64_t cost(std::size_t body_bytes) { return body_bytes + entry_bytes; }

}  // namespace zatt::raft
