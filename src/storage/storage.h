// SPDX-License-Identifier: AGPL-3.0-or-later
// What survives a node: its hard state and its log, as one ordered stream of writes.
//
// A start has two steps, so that nothing is written before somebody has judged what was found:
// scan() only reads; start() writes what every start must. From then on writes gather; the owner
// takes a batch when none is under way, has it run off its thread, and hands back the result. Reads
// of the log go a way of their own and wait for no sync: their batches may run at the same time. Each
// write has a number, given by the owner and above the one before: "write 7 is durable" speaks of
// every write up to it, where an index alone could not say which entry 16 it means.
//
// After a failed batch the storage is finished (what the kernel dropped cannot be synced later):
// every later result is that failure. Not so where there was no room to write, or no more files may
// be open: nothing is lost by that, and the rest of the batch is tried again until it is done. So a
// vote that cannot be written is one that is not given, and ends nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/instrumentation.h"
#include "base/result.h"
#include "base/types.h"
#include "storage/batch.h"
#include "storage/disk.h"
#include "storage/hard_state.h"

namespace zatt::storage {

struct Options {
  std::string directory;  // for messages only
  std::uint64_t segment_bytes = 4 << 20;
  // The log-end record is noted once the log has been quiet for so long, and made durable when that
  // goes on; under load it is noted, durably, this often.
  std::uint64_t note_after_us = 200'000;
  std::uint64_t sync_note_after_us = 5'000'000;
  std::uint64_t note_every_us = 1'000'000;
  Instrumentation* instrumentation = nullptr;  // borrowed
};

struct Damage {
  std::string file;
  std::uint64_t offset = 0;
  std::string what;   // a sentence for a person
  Index last_good{};  // the log is whole up to here
  Term floor_term{};  // the highest (term, index) that the files show
  Index floor_index{};
  // More may have been promised after the floor, and is gone with the damage. What was promised
  // counted in the configuration at this index, or in one before it.
  bool floor_is_open = false;
  Index configuration{};
};

// What a directory holds, read and not changed. Moved into start().
struct ScanResult {
  struct Log;  // the segments and where their entries are: of storage.cc alone
  ScanResult();
  ScanResult(ScanResult&&) noexcept;
  ScanResult& operator=(ScanResult&&) noexcept;
  ~ScanResult();

  std::optional<HardState> hard_state;  // nothing: the directory is empty
  Index last_index{};                   // of the log that start() will serve
  std::optional<Damage> damage;
  std::vector<std::string> notes;  // what a person should read: a torn tail of n bytes was cut off…
  std::unique_ptr<Log> log;
};

// Reads everything, and hands the log's entries to `on_entry`, in order, each once; their bodies
// are borrowed for the call. Damage is no error here, it is ScanResult::damage; errors are io, newer
// formats, and an unreadable hard state (Code::corrupt).
Result<ScanResult> scan(Disk& disk, const Options& options,
                        const std::function<void(const EntryView&)>& on_entry);

// To be done in this order: the hard state, the truncation, the entries.
struct Write {
  WriteNumber number{};
  std::optional<HardState> hard_state{};
  std::optional<Index> truncate{};      // drop the entries above
  std::span<const EntryView> append{};  // the first continues the log, each the one before
};

class Storage {
 public:
  // Writes, and waits for: `state` into both slots, with the floor raised (and opened, as
  // Damage::floor_is_open says by now) where there was damage; then a new segment of the log. Only
  // when this returns may the node speak. `state` is what was found, or the identity of a new
  // directory.
  static Result<std::unique_ptr<Storage>> start(Disk& disk, const Options& options,
                                                ScanResult found, const HardState& state);
  ~Storage();

  const HardState& hard_state() const;  // as last written
  Index last_index() const;             // of the log as handed over, durable or not

  // Its number is above that of the write before. Bodies are copied before this returns.
  void write(const Write& write);

  // Asks for entries from `first` on, at least one where there is one, no further than `last` and
  // up to about max_bytes of bodies. They come beside the writes, in pieces, each in a later Done
  // under the number returned here, and are only what is in the log by then: less or none where it
  // was cut. Entries not yet durable are not read.
  std::uint64_t read(Index first, std::uint64_t max_bytes, Index last = Index{UINT64_MAX});

  // Nothing is handed over after this. When all before it is durable, or can't be for want of room,
  // one batch more says where the log ends, for good; is_stopped() when that is durable or failed.
  void stop();
  bool is_stopped() const;

  // The next batch, when none is under way and there is something to do at `now_us`.
  std::optional<Batch> take_batch(std::uint64_t now_us);
  // When take_batch could have something to do without a new call above.
  std::uint64_t wake_at_us() const;

  // The same of reads: to be carried out while a batch of writes is, two at a time at most, and
  // handed back in this order.
  std::optional<Batch> take_read(std::uint64_t now_us);
  std::uint64_t read_wake_at_us() const;

  struct ReadDone {
    std::uint64_t number = 0;
    std::vector<Entry> entries;
    bool is_last = true;  // nothing more comes under this number
  };
  struct Done {
    Status status = ok;
    WriteNumber durable{};  // every write up to this number is on stable storage
    bool synced = false;    // the disk has kept something, if not yet all of any write
    std::vector<ReadDone> reads;
  };
  Done on_done(BatchResult result, std::uint64_t now_us);
  // Of reads nothing is durable: only `status` and `reads` are set.
  Done on_read(BatchResult result, std::uint64_t now_us);

  // Disk space is kept in steps: where no further segment can be made (the disk is full), growth
  // should be refused while a reserve is left, and everything once it has gone. What is handed over
  // all the same waits until there is room. Rises by itself.
  DiskSpace room() const;
  // What the disk said when it last had no room.
  const std::optional<Error>& no_room() const;
  // Where room() is none, which others may not know yet: whether so many bytes of entries fit all
  // the same, and some room is left then.
  bool has_space_for(std::uint64_t bytes) const;
  std::uint64_t pending_bytes() const;  // handed over and not yet durable

 private:
  struct Impl;
  explicit Storage(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace zatt::storage
