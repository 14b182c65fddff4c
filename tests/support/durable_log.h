// SPDX-License-Identifier: AGPL-3.0-or-later
// What a simulated disk would still know after the worst crash: votes and entries.
//
// The judge of "durable before said". It follows a SimDisk from sync to sync, reads only what the
// device holds, and parses it by code of its own, written from the description of the format:
// were storage/ to lie about what is durable, this would not repeat it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "tests/support/sim_disk.h"

namespace zatt::test {

class DurableLog {
 public:
  // Takes over disk.on_synced until it is destroyed. After a crash make a new one, or rescan().
  explicit DurableLog(SimDisk& disk);
  DurableLog(const DurableLog&) = delete;
  DurableLog& operator=(const DurableLog&) = delete;
  ~DurableLog();

  void rescan();
  // Entries up to here may have been lost since they were promised: by rot.
  void doubt_up_to(Index index) { in_doubt_up_to_ = raw(index); }

  // Whether the log as the device holds it has this entry, and every one before it.
  bool is_entry_durable(Index index, Term term) const;
  std::optional<Term> term_at(Index index) const;
  Index last_index() const;
  // Up to where there is no gap.
  Index whole_up_to() const;

  struct LogEnd {
    std::uint64_t segment = 0;
    std::uint64_t index = 0;
    std::uint64_t checksum = 0;
  };
  // As the two slots have it, each: nothing where it is bad.
  struct Vote {
    Term current_term{};
    std::optional<MemberId> voted_for;
    std::uint64_t number = 0;
    LogEnd log_end;
  };
  const std::optional<Vote>& slot(std::size_t i) const { return slots_[i]; }
  // Both slots say so: no crash and no single bad sector takes it back.
  bool is_term_durable(Term term) const;
  bool is_vote_durable(Term term, const MemberId& voted_for) const;

  // Where bytes are that later ones vouch for: that they are gone can be told from a torn write.
  struct Place {
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };
  std::vector<Place> promised_entries() const;
  std::vector<Place> promised_headers() const;
  std::optional<Place> slot_place(std::size_t i) const;  // nothing where it is bad already

  // A rule that the disk was seen to break ("" when none): a header that is durable before what it
  // says of its predecessor.
  const std::string& problem() const { return problem_; }

 private:
  struct Parsed {
    std::uint64_t size = 0;
    std::uint64_t checksum = 0;
    std::uint64_t kind = 0;
    std::uint64_t index = 0;
    std::uint64_t term = 0;
    std::uint64_t durable_index = 0;
    std::uint64_t previous = 0;
  };
  struct Segment {
    std::uint64_t first_index = 0;
    std::uint64_t incarnation = 0;
    std::uint64_t position = 0;            // in the file: where the next record is looked for
    std::uint64_t predecessor = 0;         // the checksum of the entry before the first
    std::uint64_t checksum = 0;            // of the last entry
    std::vector<std::uint64_t> terms;      // from first_index on
    std::vector<std::uint64_t> checksums;  // beside them
    std::vector<Place> places;             // and these
    std::uint64_t durable_index = 0;       // what its records vouch for
  };

  void on_synced(const std::string& name);
  void follow(const std::string& name, std::uint64_t number, bool look_on);
  bool begin(const std::string& name, std::uint64_t number, bool verify);
  std::optional<Parsed> record_at(const std::string& name, std::uint64_t at,
                                  std::uint64_t key) const;
  void read_slots();
  std::uint64_t noted_end() const;
  const Segment* segment_of(std::uint64_t index) const;
  bool holds(std::uint64_t index, std::uint64_t term, std::uint64_t checksum) const;

  SimDisk* disk_;
  std::map<std::uint64_t, Segment> segments_;  // by number
  std::optional<Vote> slots_[2];
  std::optional<Vote> notes_[2];  // their log's end alone
  std::string problem_;
  std::uint64_t in_doubt_up_to_ = 0;
};

}  // namespace zatt::test
