// SPDX-License-Identifier: AGPL-3.0-or-later
// Committed entries on their way into the state machine: in order, each once.
//
// What memory no longer holds is read back from the disk first.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/state_machine.h"
#include "base/types.h"
#include "node/env.h"
#include "node/options.h"
#include "node/persister.h"
#include "raft/raft.h"

namespace zatt::node {

class Applier {
 public:
  // Called for each entry that was applied, with the machine's reply, borrowed for the call.
  using OnApplied = std::function<void(Index index, Term term, std::string_view reply)>;

  // All but `on_applied` is borrowed for its life.
  Applier(const Options& options, Env& env, const raft::Raft& raft, StateMachine& machine,
          Persister& persister, OnApplied on_applied);

  // Applies what is committed and at hand, asks the disk for what is not, and answers how far the
  // machine is where that is news to the core.
  std::optional<raft::Applied> apply_committed();
  // Takes entries that it had asked for; false: they are another's.
  bool take_read(const storage::Storage::ReadDone& read);

  Index last_applied() const { return applied_; }
  // When apply_committed is due by itself: what was put off.
  std::uint64_t wake_at_us() const { return wake_at_us_; }

 private:
  void apply(const EntryView& entry);

  const Options& options_;
  Env& env_;
  const raft::Raft& raft_;
  StateMachine& machine_;
  Persister& persister_;
  OnApplied on_applied_;
  std::uint64_t read_ = 0;  // storage's number; 0: none under way
  Index applied_{};
  Index told_{};  // the core
  std::string reply_;
  std::uint64_t wake_at_us_ = never_us;
};

}  // namespace zatt::node
