// SPDX-License-Identifier: AGPL-3.0-or-later
// What the segments of a directory say: which entries they hold, what is a torn tail, what damage.
//
// docs/storage.md, rules 8 to 12 and 15. Only reads, a segment at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.h"
#include "base/instrumentation.h"
#include "base/result.h"
#include "storage/disk.h"
#include "storage/durable_ends.h"
#include "storage/log_end.h"
#include "storage/segments.h"
#include "storage/storage.h"

namespace zatt::storage {

// What a durable snapshot holds already; nothing of the log is needed up to there.
struct Base {
  Term term{};
  Index index{};
};

struct LogQuestion {
  std::string directory;  // for messages
  std::uint64_t incarnation = 0;
  Base base;
  LogEndRecord log_end;
  Instrumentation* instrumentation = nullptr;
};

// Fills all of `found` that concerns the log, and hands its entries to `on_entry`, in order, each
// once; their bodies are borrowed for the call. Damage is no error, it is in `found`; errors are
// the disk's, Code::newer for a later version's log, Code::foreign for another directory's segment.
Status read_log(Disk& disk, const LogQuestion& question, const std::vector<std::string>& names,
                const std::function<void(const EntryView&)>& on_entry, ScanResult& found);

// How read_log does it: once, over the files that `names` lists.
class LogReader {
 public:
  // All are borrowed for its life; `found.log` is there, and empty.
  LogReader(Disk& disk, const LogQuestion& question,
            const std::function<void(const EntryView&)>& on_entry, ScanResult& found)
      : disk_(disk), question_(question), on_entry_(on_entry), found_(found), log_(*found.log) {}

  Status run(const std::vector<std::string>& names);

 private:
  struct BadHeader {  // a file whose header is bad
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    bool has_records = false;
  };

  // --- what is there ---
  // Puts each file into its list: segments in the order of their numbers, spares by name.
  Status sort_out(const std::vector<std::string>& names);
  // Adds the file to the log's segments, or to bad_headers_.
  Status read_header(std::uint64_t number);
  // Retires the segments after which a later one begins at or before their first index (rule 8).
  void drop_obsolete();
  // Reads the records behind each bad header. Needs newest_.
  Status look_at_bad_headers();

  // --- walking through it ---
  // Reads the segments that are needed, up to damage; retires the others, and all after it.
  Status walk_all();
  // Of log_.segments, where to begin: the last one that needs no predecessor (rule 11); their
  // number, where there is none.
  std::size_t first_needed() const;
  // Serves what the segment holds; `next` is the one after it, or null. Needs the log to end where
  // the segment begins.
  Status walk(Segment& segment, const Segment* next);
  // Serves the record, which is the log's next one by its index and its predecessor's checksum.
  // False: another was there, which is missing.
  bool take(Segment& segment, const Segment* next, const RecordWalk& walk, const Record& record);
  // Serves nothing of this file: what it holds only counts for the floor. Sets has_records.
  Status look_only(BadHeader& segment);
  // The log, as far as it is known, ends here, durably.
  void begin_at(const LogEnd& end);
  // The log is durable up to there, or up to its end where that is before it.
  void prove_durable(Index durable_index);
  // What the files show, served or not: raises the floor that damage would leave.
  void note_seen(const Record& record);
  void note_seen(Term term, Index index);
  // How many bytes at `at` begin with the head of what would be the next record, though it does
  // not check: a write that was under way. 0: there is none.
  std::uint64_t torn_record_bytes(std::string_view bytes, std::uint64_t at) const;

  // --- verdicts, once all was walked through ---
  void check_bad_headers();
  // Whether an end of the log that was noted as durable is missing.
  void check_ends();
  void check_lengths();
  // Entries up to `last` at least were durable and can't be served: damage. Where the end of what
  // was promised is not known, neither is the floor.
  void lose(Index last, bool is_end_known, const std::string& file, std::uint64_t offset,
            const std::string& what);
  // Retires all: nothing of the log goes on from the snapshot; a new segment will, and needs none
  // of it.
  void drop_before_snapshot();
  // What was served, as the noted ends are compared with it.
  DurableEnds::Served served() const;
  // Tells of a tail that was cut off; of none where it has no bytes.
  void note_torn(std::uint64_t bytes);
  // Writes the damage down, in place of what was there.
  void damage(const std::string& file, std::uint64_t offset, std::string what);
  Error error(Code code, const char* what, const std::string& file, const std::string& why) const;
  // Of the checksums in that segment.
  std::uint64_t key(std::uint64_t number) const {
    return checksum_key(question_.incarnation, number);
  }

  Disk& disk_;
  const LogQuestion& question_;
  const std::function<void(const EntryView&)>& on_entry_;
  ScanResult& found_;
  ScanResult::Log& log_;

  DurableEnds ends_;
  std::vector<BadHeader> bad_headers_;
  std::uint64_t newest_ = 0;           // of the segments with a good header
  bool newest_is_cut_off_ = false;     // its file is shorter than its header says
  std::map<Index, Term> newer_terms_;  // of records after all good headers
  std::vector<LogEnd> window_;         // the entries after log_.proven_durable
  bool holds_base_ = true;             // the log so far goes through the snapshot's end
  bool is_dropped_ = false;            // it does not: nothing of it is served
  std::uint64_t bad_at_ = unit;        // in the segment walked last: where the log can't go on
  Term highest_term_{};                // seen anywhere: the floor, where there is damage
  Index highest_index_{};
};

}  // namespace zatt::storage
