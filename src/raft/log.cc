// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/log.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/narrow.h"

namespace zatt::raft {

std::vector<Log::Run>::const_iterator Log::run_of(Index index) const {
  const auto next = std::upper_bound(runs_.begin(), runs_.end(), index,
                                     [](Index i, const Run& run) { return i < run.first; });
  ZATT_ASSERT(next != runs_.begin());
  return next - 1;
}

Term Log::term_at(Index index) const {
  ZATT_ASSERT(index >= base_index_ && index <= last_index_);
  return index == base_index_ ? base_term_ : run_of(index)->term;
}

bool Log::holds(Index index, Term term) const {
  return index >= base_index_ && index <= last_index_ && term_at(index) == term;
}

Index Log::last_at_or_below(Index index, Term term) const {
  index = std::min(index, last_index_);
  while (index > base_index_) {
    const auto run = run_of(index);
    if (run->term <= term) return index;
    index = run->first - 1;
  }
  return index == base_index_ && base_term_ <= term ? index : Index{0};
}

const Entry& Log::at(Index index) const {
  ZATT_ASSERT(in_memory(index));
  return entries_[narrow<std::size_t>(index - first_in_memory())];
}

std::vector<EntryView> Log::slice(Index first, Index last, std::uint64_t max_bytes) const {
  std::vector<EntryView> views;
  std::uint64_t bytes = 0;
  for (Index index = first; index <= last; ++index) {
    const Entry& entry = at(index);
    bytes += cost(entry.body.size());
    if (!views.empty() && bytes > max_bytes) break;
    views.push_back(entry.view());
  }
  return views;
}

void Log::append(Term term, std::uint64_t time_us, EntryKind kind, std::string body) {
  ZATT_ASSERT(term >= last_term());
  ++last_index_;
  if (runs_.empty() || runs_.back().term != term) runs_.push_back({last_index_, term});
  bytes_ += cost(body.size());
  entries_.push_back({last_index_, term, time_us, kind, std::move(body)});
  last_time_us_ = time_us;
}

void Log::truncate(Index last) {
  ZATT_ASSERT(last >= base_index_ && last <= last_index_);
  while (!entries_.empty() && entries_.back().index > last) {
    bytes_ -= cost(entries_.back().body.size());
    entries_.pop_back();
  }
  while (!runs_.empty() && runs_.back().first > last) runs_.pop_back();
  last_index_ = last;
  if (!entries_.empty() || last == Index{0})
    last_time_us_ = entries_.empty() ? 0 : entries_.back().time_us;
}

void Log::forget(Index limit, std::uint64_t max_bytes) {
  while (bytes_ > max_bytes && !entries_.empty() && entries_.front().index <= limit) {
    bytes_ -= cost(entries_.front().body.size());
    entries_.pop_front();
  }
}

}  // namespace zatt::raft
