// SPDX-License-Identifier: AGPL-3.0-or-later
// Segment files that wait for their next segment.
//
// A file that was written once already costs a sync no metadata, so a segment no longer needed is
// kept for reuse, and a new one is made ahead, in slices that delay no batch by much. A full disk
// is no failure here: it is tried again later.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/batch.h"
#include "storage/segments.h"

namespace zatt::storage {

class SegmentPool {
 public:
  // `unfinished`: the number of a file of that kind which is there, and is gone on with.
  SegmentPool(std::uint64_t segment_bytes, std::vector<FileSize> ready,
              std::optional<std::uint64_t> unfinished, std::uint64_t next_number);

  std::uint64_t segment_bytes() const { return segment_bytes_; }
  // The one series that segments, spares and unfinished files take their numbers from.
  std::uint64_t take_number() { return next_number_++; }

  // Whether one of at least `bytes` waits.
  bool has_ready(std::uint64_t bytes) const { return best_ready(bytes).has_value(); }
  // Steps after which the file `name` is there, of at least `bytes`, its name and length durable: a
  // spare, or else one that is filled now. Returns its size. What it holds is noise.
  std::uint64_t provide(const std::string& name, std::uint64_t bytes, std::vector<Step>& steps);
  // Steps that keep the segment `name` as a spare, or remove it. Followed by a sync of the
  // directory before any spare is used: two names of one file would be the end of it.
  void retire(const std::string& name, std::uint64_t size, std::vector<Step>& steps);
  // A read of the segment of this number is under way: it is not to be touched. retire() leaves it
  // be until as many release() it.
  void hold(std::uint64_t number);
  void release(std::uint64_t number);
  // Whether there are retired ones that nobody reads any more; steps for those, as of retire().
  bool has_released() const;
  void retire_released(std::vector<Step>& steps);
  // Removes those of another size than a segment's, and those too many.
  void trim(std::vector<Step>& steps);

  std::size_t ready() const { return ready_.size(); }
  bool is_stuck() const { return is_stuck_; }                 // the last try met a full disk
  std::uint64_t retry_at_us() const { return retry_at_us_; }  // not to be tried before

  // The next slice of a spare; the last one makes it ready. Or all that is missing of one of at
  // least `bytes`.
  void make_slice(std::vector<Step>& steps);
  void make_whole(std::uint64_t bytes, std::vector<Step>& steps);
  void on_made_slice();
  void on_disk_full(std::uint64_t now_us);

 private:
  struct Making {
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    std::uint64_t filled = 0;
    std::uint64_t slice = 0;  // under way
  };
  // Goes on with the spare being made, or begins one of at least `bytes`: `slice` bytes more.
  void make(std::uint64_t bytes, std::uint64_t slice, std::vector<Step>& steps);
  // How large a file is made that has to hold `bytes`.
  std::uint64_t file_bytes(std::uint64_t bytes) const;
  // The smallest of ready_ that has at least `bytes`.
  std::optional<std::size_t> best_ready(std::uint64_t bytes) const;

  bool is_held(const FileSize& file) const;

  std::uint64_t segment_bytes_;
  std::vector<std::string> held_;   // segments that are read, each once a read
  std::vector<FileSize> retiring_;  // segments no longer needed, which are held, or were
  std::vector<FileSize> ready_;
  std::uint64_t next_number_;
  std::optional<Making> making_;
  bool is_stuck_ = false;
  std::uint64_t retry_after_us_;
  std::uint64_t retry_at_us_ = 0;
};

}  // namespace zatt::storage
