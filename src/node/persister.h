// SPDX-License-Identifier: AGPL-3.0-or-later
// What the core wants written and read, handed to storage; and what the disk says of it.
//
// One batch is with the disk at a time. Writes are promised by number only once a sync has covered
// them; reads answer with what the log still holds by then.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "node/env.h"
#include "node/options.h"
#include "raft/raft.h"
#include "storage/storage.h"

namespace zatt::node {

class Persister {
 public:
  static constexpr std::uint64_t max_unsynced_bytes = 64 << 20;  // that wait for the disk in memory

  // `options`, `env` and `raft` are borrowed for its life.
  Persister(const Options& options, Env& env, const raft::Raft& raft,
            std::unique_ptr<storage::Storage> storage);

  // Hands over one output's writes and reads.
  void take(const raft::Output& output);
  // Hands over to which cluster this directory belongs, and its offers.
  // `number`: of the core's write numbers, taken for this.
  void save_bootstrap(WriteNumber number, ClusterId cluster, std::vector<raft::Offer> offers);
  // Whether what save_bootstrap handed over last is durable: before that it is shown to nobody.
  bool is_bootstrap_durable() const { return bootstrap_write_ == WriteNumber{}; }
  // Asks for entries from `first` on for whoever is not the core; see on_disk.
  std::uint64_t read(Index first, std::uint64_t max_bytes) {
    return storage_->read(first, max_bytes);
  }
  // Gives the disk the next batch, where it is free and there is something to do, and reads beside.
  void submit();
  // Nothing is handed over after this: the last batch says where the log ends.
  void stop() { storage_->stop(); }
  bool is_stopped() const { return storage_->is_stopped(); }

  struct Done {
    std::optional<Error> error;  // the node can't go on
    // Up to which write all is durable. Also set, unchanged, where the disk has kept
    // something: it is none that hangs.
    std::optional<WriteNumber> persisted;
    std::vector<storage::Storage::ReadDone> reads;
    bool was_slow = false;
    bool room_changed = false;
    bool bootstrap_durable = false;  // now, and was not
  };
  Done on_disk(storage::BatchResult result);
  Done on_read(storage::BatchResult result);
  // A piece of the answer to one of the core's fetches; nothing where the read was asked for by
  // another. Its entries borrow from `read`.
  std::optional<raft::Fetched> fetched(const storage::Storage::ReadDone& read);

  // Up to which write all is durable, where the disk has finished a sync since this was asked last:
  // it is none that hangs, however long its batch is. No read counts.
  std::optional<WriteNumber> shows_progress();

  // As last handed over.
  const storage::HardState& hard_state() const { return hard_state_; }
  std::uint64_t pending_bytes() const { return storage_->pending_bytes(); }
  bool has_too_much_to_sync() const { return pending_bytes() > max_unsynced_bytes; }

  // Room as it was when the core was told last, and as it is now.
  DiskSpace told_room() const { return room_; }
  DiskSpace room() const { return storage_->room(); }
  // Why there is none, for a person: a limit of the process is no full disk, and it would be
  // looked for in vain.
  std::string no_room() const;
  // Whether entries of an append can be taken at all: not onto a disk that is full, nor while it
  // hangs and more and more waits for it in memory.
  bool has_space_for(const raft::AppendEntries& append) const;

  // For how long one batch has been with the disk; 0: none is.
  std::uint64_t busy_us() const { return disk_busy_ ? env_.now_us() - disk_busy_since_us_ : 0; }
  // It hangs now, or a batch took too long a short while ago.
  bool is_slow() const;
  // When the batch that is with the disk will have taken too long, or, where `said_slow`, the disk
  // be well again.
  std::uint64_t look_at_us(bool said_slow) const;
  // When submit() could have something to do by itself.
  std::uint64_t wake_at_us() const;

 private:
  const Options& options_;
  Env& env_;
  const raft::Raft& raft_;
  std::unique_ptr<storage::Storage> storage_;
  storage::HardState hard_state_;
  WriteNumber bootstrap_write_{};  // save_bootstrap's last; 0: it is durable
  WriteNumber durable_write_{};
  std::uint64_t seen_syncs_ = 0;
  std::map<std::uint64_t, raft::Fetch> fetches_;  // by storage's number
  bool disk_busy_ = false;
  std::uint64_t disk_busy_since_us_ = 0;
  std::uint64_t slow_until_us_ = 0;  // the last batch that took too long, and a while
  DiskSpace room_ = DiskSpace::enough;
};

}  // namespace zatt::node
