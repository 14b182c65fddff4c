// SPDX-License-Identifier: AGPL-3.0-or-later
// What Raft::step() asks for: one write, messages, fetches from disk, answers to reads.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/types.h"
#include "raft/hard_state.h"
#include "raft/message.h"

namespace zatt::raft {

struct Fetch {  // read entries from `first` to `last` from disk, up to about max_bytes; then step
                // Fetched{number}, once or piece by piece
  std::uint64_t number = 0;
  Index first{};
  Index last{};
  std::uint64_t max_bytes = 0;
};
struct ReadState {
  std::uint64_t id = 0;
  bool confirmed = false;  // false: not the leader of that term (any more); ask the one who is
  Index index{};           // answer once the state machine has applied this
};

struct Output {
  // One write, in this order: hard state, cut, append. `write` is its number, 0 where nothing is
  // to be written.
  WriteNumber write{};
  std::optional<HardState> hard_state;
  std::optional<Index> truncate;  // drop the entries above
  std::vector<EntryView> append;

  std::vector<Envelope> messages;  // borrowed views in them: until the next step
  std::vector<Fetch> fetches;
  std::vector<ReadState> reads;
  Index proposed{};  // Propose: index of the first; 0: refused, it does not lead that term

  // Nothing is to be done. What the vectors have allocated is kept.
  void clear() {
    write = WriteNumber{};
    hard_state.reset();
    truncate.reset();
    append.clear();
    messages.clear();
    fetches.clear();
    reads.clear();
    proposed = {};
  }
};

}  // namespace zatt::raft
