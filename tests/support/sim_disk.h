// SPDX-License-Identifier: AGPL-3.0-or-later
// A disk in memory that forgets what was not synced, as a power loss makes a real one forget.
//
// Every file is kept twice: as a process sees it (the page cache), and as the device holds it. They
// differ by sectors of 512 bytes; a crash lets each differing sector come out old, new, zeroed or
// as noise, the file's size either way, and the directory's operations in part. Time does not exist
// here: whoever simulates it calls later.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "storage/disk.h"

namespace zatt::test {

// What a power loss leaves of all that was not synced.
enum class Crash : std::uint8_t {
  all_lost,
  all_kept,
  one_kept,    // a single sector, unit or directory operation, and nothing else
  one_lost,    // all but one
  torn_last,   // all, but the last write only in part
  data_lost,   // the directory's operations without the data
  names_lost,  // the data without the directory's operations
  in_order,    // the first so many writes and operations
  reversed,    // the last so many, without those before
  random,      // each sector old, new, zeros or noise; a subset or a prefix of the operations
};
inline constexpr Crash every_crash[] = {
    Crash::all_lost,  Crash::all_kept,   Crash::one_kept, Crash::one_lost, Crash::torn_last,
    Crash::data_lost, Crash::names_lost, Crash::in_order, Crash::reversed, Crash::random};
const char* to_string(Crash mode);

class SimDisk final : public storage::Disk {
 public:
  static constexpr std::uint64_t sector_size = 512;
  static constexpr int crashed_errno = 108;  // ESHUTDOWN: what every call says after crash_at

  Result<std::vector<std::string>> list() override;
  Result<std::uint64_t> size(const std::string& name) override;
  Result<std::string> read(const std::string& name, std::uint64_t offset,
                           std::uint64_t length) override;
  Status write(const std::string& name, std::uint64_t offset, std::string_view bytes) override;
  Status sync(const std::string& name) override;
  Status push(const std::string& name, std::uint64_t offset, std::uint64_t length) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& name) override;
  Status sync_directory() override;

  // The power fails and comes back: what is left is all there is, and all of it is durable.
  void crash(Prng& prng, Crash mode);
  // The same, for whoever goes through all of them: which sector, how many writes. A choice is one
  // below choices(mode); what a random crash leaves depends on prng alone.
  void crash(Prng& prng, Crash mode, std::uint64_t choice);
  std::uint64_t choices(Crash mode) const;
  // The process ends and the machine goes on: all stays visible, what was not synced is still in
  // doubt. Faults still to come stay to come.
  void kill();
  std::unique_ptr<SimDisk> clone() const;  // without its faults and listeners

  // --- faults; n = 0 is the next call ---------------------------------------------------------
  void fail_call(std::uint64_t n, int error, bool for_good = false);
  void crash_at(std::uint64_t n);  // that call and all later ones fail, until crash() or kill()
  // The same, counting only calls that change something: between others a crash is the same crash.
  void crash_at_change(std::uint64_t n);
  void clear_faults();
  std::uint64_t calls() const { return calls_; }
  std::uint64_t changing_calls() const { return changing_calls_; }
  bool is_crashed() const { return crashed_; }
  // What the cache shows of unsynced sectors after a failed sync; or that reading them fails, until
  // they are written again or the power was off. They are lost in any case: a later sync does not
  // bring them to the device.
  enum class FailedSync : std::uint8_t { shows_new, shows_old, reads_fail };
  void set_failed_sync(FailedSync mode) { failed_sync_ = mode; }
  // How much a failing write has written: half of what does not grow the file, nothing, or a
  // stretch that ends in the middle of a sector and makes the file as long.
  enum class FailedWrite : std::uint8_t { half, nothing, short_write };
  void set_failed_write(FailedWrite mode) { failed_write_ = mode; }
  // ENOSPC for what would make the files larger than this together.
  void limit_space(std::optional<std::uint64_t> bytes) { space_ = bytes; }
  void flip_bit(const std::string& name, std::uint64_t bit);  // rot, at rest
  // Spoils a stretch at rest: cache and device hold `bytes` from now on.
  void overwrite_at_rest(const std::string& name, std::uint64_t offset, std::string_view bytes);
  void cut_at_rest(const std::string& name, std::uint64_t size);

  // --- what the device holds ------------------------------------------------------------------
  bool is_name_durable(const std::string& name) const;  // it names the same file after a crash
  std::vector<std::string> durable_names() const;
  std::vector<std::string> names() const;  // as a process sees them
  std::uint64_t durable_size(const std::string& name) const;
  std::string durable_read(const std::string& name, std::uint64_t offset,
                           std::uint64_t length) const;
  // Called after each sync that succeeded; the name is empty for the directory.
  std::function<void(const std::string& name)> on_synced;

  // The error of the last call that failed by a fault or for want of space, since it was forgotten.
  const std::optional<int>& failure() const { return failure_; }
  void forget_failure() { failure_.reset(); }
  std::uint64_t used_bytes() const { return used(); }
  bool has_faults() const { return crash_call_.has_value() || fail_call_.has_value(); }
  std::uint64_t bytes_written() const { return bytes_written_; }
  std::uint64_t syncs() const { return syncs_; }
  std::uint64_t failed_syncs() const { return failed_syncs_; }

 private:
  using FileId = std::uint64_t;
  struct Written {  // a stretch of sectors
    std::uint64_t number = 0;
    std::uint64_t first = 0;
    std::uint64_t end = 0;
  };
  struct File {
    std::string bytes;                          // as the process sees it
    std::uint64_t durable_size = 0;             // all at or behind it was not synced
    std::map<std::uint64_t, std::string> old;   // sectors rewritten since: what the device holds
    std::map<std::uint64_t, std::string> lost;  // the same, where a failed sync dropped the new
    bool lost_is_unreadable = false;
    std::vector<Written> written;  // since the last sync
  };
  struct NameChange {
    std::string from;  // removed where it still names `file`; empty: none
    std::string to;    // names `file` from now on; empty: none
    FileId file = 0;
    std::uint64_t number = 0;
  };
  struct Item;  // of what a crash may keep or lose

  enum class Call : std::uint8_t { reads, changes };
  std::optional<Error> step(Call kind, const char* what, const std::string& name);
  Error fail(int error, const char* what, const std::string& name);
  File* find(const std::string& name);
  void put(File& file, std::uint64_t offset, std::string_view bytes);
  void drop_unsynced(File& file);
  bool is_unreadable(const File& file, std::uint64_t offset, std::uint64_t length) const;
  std::string_view part_written(std::uint64_t before, std::uint64_t offset,
                                std::string_view bytes) const;
  void change_name(std::string from, std::string to, FileId file);
  std::uint64_t used() const;
  static void apply(const NameChange& change, std::map<std::string, FileId>& names);
  static std::string durable_sector(const File& file, std::uint64_t sector);
  static std::vector<std::uint64_t> unsynced_sectors(const File& file);
  std::vector<Item> unsynced() const;
  static std::vector<Item> units(const std::vector<Item>& items);
  static std::vector<std::uint64_t> numbers(const std::vector<Item>& items);
  std::uint64_t sectors_written_last() const;
  void choose(std::vector<Item>& items, Prng& prng, Crash mode, std::uint64_t choice) const;
  void choose_one(std::vector<Item>& items, Crash mode, std::uint64_t choice) const;
  void choose_at_random(std::vector<Item>& items, Prng& prng) const;
  static std::uint64_t size_after(const File& file, std::uint64_t kept_end, Prng& prng, Crash mode,
                                  std::uint64_t choice);
  void forget_unnamed();

  std::map<FileId, File> files_;
  std::map<std::string, FileId> names_;
  std::map<std::string, FileId> durable_names_;
  std::vector<NameChange> changes_;  // since the last sync of the directory
  FileId next_file_ = 1;
  FileId last_file_ = 0;  // the last write
  std::uint64_t last_offset_ = 0;
  std::uint64_t last_length_ = 0;
  std::uint64_t last_number_ = 0;  // of all that a sync makes durable: writes and names

  std::uint64_t calls_ = 0;
  std::uint64_t changing_calls_ = 0;
  bool crashed_ = false;
  std::optional<std::uint64_t> crash_call_;
  std::optional<std::uint64_t> crash_change_;
  std::optional<std::uint64_t> fail_call_;
  int fail_error_ = 0;
  bool fail_for_good_ = false;
  FailedSync failed_sync_ = FailedSync::shows_new;
  FailedWrite failed_write_ = FailedWrite::half;
  std::optional<std::uint64_t> space_;
  std::optional<int> failure_;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t failed_syncs_ = 0;
};

}  // namespace zatt::test
