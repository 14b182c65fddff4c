// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/storage.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/assert.h"
#include "base/checksum.h"
#include "storage/in_flight.h"
#include "storage/log_extent.h"
#include "storage/log_reads.h"
#include "storage/log_writer.h"
#include "storage/recovery.h"
#include "storage/segment_pool.h"
#include "storage/segments.h"
#include "storage/slots.h"
#include "storage/steps.h"

namespace zatt::storage {
namespace {

constexpr std::uint64_t first_stall_us = 1'000'000;  // doubles
constexpr std::uint64_t last_stall_us = 30'000'000;

// What a spare is wanted for: to be the reserve, or the next segment beside it, or because no room
// is left but the reserve, or because the log waits for it.
enum class SpareDemand { nothing, reserve, next_segment, room, waiting };

// A sync that fails has lost what it should have kept, whatever it says; a write is as if never
// begun, since it is done anew, over whatever part of it was.
bool can_be_tried_again(const Step& step) {
  using Kind = Step::Kind;
  return step.kind != Kind::sync && step.kind != Kind::sync_directory;
}

}  // namespace

struct Storage::Impl {
  Impl(const Options& given, Recovered started)
      : options(given),
        file(std::move(started.file)),
        log(std::move(started.log)),
        pool(std::move(started.pool)),
        reads(given.instrumentation),
        readable(log.end().index) {}

  Options options;
  HardStateFile file;
  LogWriter log;
  SegmentPool pool;
  LogReads reads;
  Index readable{};  // up to here the log is durable, and not cut since

  bool save_waits = false;
  WriteNumber last_write{};
  WriteNumber durable{};
  std::deque<UndoneWrite> undone;       // ascending
  std::optional<WriteNumber> cut_from;  // from this write on all waits for a cut
  bool is_stopping = false;
  bool is_stopped = false;
  std::optional<InFlightBatch> flight;
  std::optional<Stall> stall;  // then there is no flight
  std::uint64_t stall_us = first_stall_us;
  std::optional<Error> no_room;
  std::optional<Error> failure;
  NoteTimes note;
  SpareDemand tried_for =
      SpareDemand::nothing;  // the last try to make a spare, where less is not wanted now

  bool has_writes() const { return last_write > durable; }
  // How large a segment the log waits for, where none that large is ready.
  std::optional<std::uint64_t> missing_bytes() const;
  DiskSpace room() const;
  // What a spare is wanted for now.
  SpareDemand wanted_spare() const;
  // When the making of a spare goes on.
  std::uint64_t spare_at_us(SpareDemand wanted, bool has_work) const;
  // Each plan_ adds its steps to a batch, and to `going` what their completion will mean.
  void plan_spare(std::vector<Step>& steps);
  void plan_released(std::vector<Step>& steps);
  void plan_cut_read(InFlightBatch& going, std::vector<Step>& steps);
  void plan_writes(InFlightBatch& going, std::vector<Step>& steps);
  // All up to this write is durable once what is laid out so far is.
  WriteNumber laid_out_write() const;
  void plan_note(InFlightBatch& going, bool is_quiet, std::uint64_t now_us,
                 std::vector<Step>& steps);
  void plan_stop(InFlightBatch& going, std::vector<Step>& steps);
  // Whether what failed may, for want of space: a note, or a spare.
  bool may_fail(const InFlightBatch& done, const BatchResult& result, std::uint64_t now_us);
  // Keeps the rest of a batch that failed for want of space, to be tried again. False: it failed.
  bool wait_for_room(InFlightBatch& done, BatchResult& result, std::uint64_t now_us);
  // That rest, when its time has come.
  std::optional<Batch> resume(std::uint64_t now_us);
  // Tells the log what it has to know of the entry that a cut ends at.
  Status finish_cut_read(const InFlightBatch& done);
  // Of one that is damaged, with the directory's name.
  Error located(Error error) const;
};

Result<std::unique_ptr<Storage>> Storage::start(Disk& disk, const Options& options,
                                                ScanResult found, const HardState& state) {
  auto started = recover_directory(disk, options, std::move(found), state);
  if (!started) return started.error();
  auto impl = std::make_unique<Impl>(options, std::move(*started));
  return std::unique_ptr<Storage>(new Storage(std::move(impl)));
}

Storage::Storage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Storage::~Storage() = default;

const HardState& Storage::hard_state() const { return impl_->file.state(); }
Index Storage::last_index() const { return impl_->log.last_index(); }

// --- gathering -------------------------------------------------------------------------------

void Storage::write(const Write& write) {
  Impl& s = *impl_;
  ZATT_ASSERT(!s.is_stopping && write.number > s.last_write);
  s.last_write = write.number;
  Index last{};  // a hard state waits for no entry
  if (write.hard_state) {
    s.file.set_state(*write.hard_state);
    s.save_waits = true;
  }
  if (write.truncate) {
    last = *write.truncate;
    s.log.truncate(last);
    s.reads.truncate(last);
    s.readable = std::min(s.readable, last);
    for (UndoneWrite& undone : s.undone) undone.last = std::min(undone.last, last);
    if (s.log.pending_truncation() && !s.cut_from) s.cut_from = write.number;
  }
  if (!write.append.empty()) {
    s.log.append(write.append);
    last = s.log.last_index();
  }
  s.undone.push_back({write.number, last});
}

void Storage::stop() { impl_->is_stopping = true; }
// What waits for room was never acknowledged, and a stop does not wait for it.
bool Storage::is_stopped() const {
  return impl_->is_stopped || impl_->failure || (impl_->is_stopping && impl_->stall);
}

std::uint64_t Storage::read(Index first, std::uint64_t max_bytes, Index last) {
  return impl_->reads.ask(first, max_bytes, last);
}

// --- batches ---------------------------------------------------------------------------------

// Of the segment that the log waits for, where there is none.
std::optional<std::uint64_t> Storage::Impl::missing_bytes() const {
  const auto bytes = log.waits_for_segment();
  return bytes && !pool.has_ready(*bytes) ? bytes : std::nullopt;
}

// One is kept in reserve, for the day when the disk is full; the next roll-over has another.
SpareDemand Storage::Impl::wanted_spare() const {
  if (missing_bytes()) return SpareDemand::waiting;
  if (room() != DiskSpace::enough) return SpareDemand::room;
  if (pool.ready() == 0) return SpareDemand::reserve;
  return pool.ready() == 1 && log.is_half_full() ? SpareDemand::next_segment : SpareDemand::nothing;
}

// When a spare is to be gone on with. A disk that was full is tried again at once where more hangs
// on it than at the last try, and else after a while.
std::uint64_t Storage::Impl::spare_at_us(SpareDemand wanted, bool has_work) const {
  if (wanted == SpareDemand::nothing) return never_us;
  if (!pool.is_stuck() || wanted > tried_for) return 0;
  if (wanted < SpareDemand::room && !has_work) return never_us;
  return pool.retry_at_us();
}

// What was read while it was cut off, and is no longer.
void Storage::Impl::plan_released(std::vector<Step>& steps) {
  if (!pool.has_released()) return;
  pool.retire_released(steps);
  steps.push_back(sync_directory_step());
}

void Storage::Impl::plan_spare(std::vector<Step>& steps) {
  if (const auto bytes = missing_bytes())
    pool.make_whole(*bytes, steps);
  else
    pool.make_slice(steps);
}

void Storage::Impl::plan_cut_read(InFlightBatch& going, std::vector<Step>& steps) {
  const auto index = log.unknown_truncation_end();
  if (!index) return;
  going.cut_extent = find_extent(log.segments(), *index, log.end().index, 0);
  ZATT_ASSERT(going.cut_extent.has_value());
  steps.push_back(read_step(file_name(FileKind::segment, going.cut_extent->segment),
                            going.cut_extent->offset, going.cut_extent->length));
}

void Storage::Impl::plan_writes(InFlightBatch& going, std::vector<Step>& steps) {
  steps.reserve(steps.size() + 2);  // mostly these: records, and their sync
  if (save_waits) file.save(log.log_end(), steps);
  save_waits = false;
  going.bytes = log.gathered_bytes();
  going.writes_log = log.has_work();
  if (log.has_work()) log.lay_out(pool, file, steps);
  going.bytes -= log.gathered_bytes();
  if (!log.pending_truncation()) cut_from.reset();
  going.last_write = laid_out_write();
}

// What has no segment yet waits, and all that was handed over after it; not what came before.
WriteNumber Storage::Impl::laid_out_write() const {
  WriteNumber laid_out = durable;
  for (const UndoneWrite& write : undone) {
    if (write.last > log.end().index || (cut_from && write.number >= *cut_from)) break;
    laid_out = write.number;
  }
  return laid_out;
}

// Whoever is idle writes nothing: after the last note nothing follows but a sync of it.
void Storage::Impl::plan_note(InFlightBatch& going, bool is_quiet, std::uint64_t now_us,
                              std::vector<Step>& steps) {
  const bool is_due = now_us >= (is_quiet ? note.quiet_at_us : note.note_at_us);
  if (is_due && log.log_end() != file.log_end()) {
    hit(options.instrumentation, CoveragePoint::log_end_noted);
    going.note_step = steps.size();
    file.note(log.log_end(), steps);
    steps.push_back(is_quiet ? push_notes() : sync_step(hard_state_name));
    note.sync_at_us = never_us;
    if (is_quiet) note.sync_at_us = now_us + options.sync_note_after_us;
  }
  if (is_due) {
    note.quiet_at_us = never_us;
    note.note_at_us = never_us;
  }
  if (is_quiet && now_us >= note.sync_at_us) {
    steps.push_back(sync_step(hard_state_name));
    note.sync_at_us = never_us;
  }
}

// All is durable that can be: what has no room was never acknowledged.
void Storage::Impl::plan_stop(InFlightBatch& going, std::vector<Step>& steps) {
  if ((has_writes() && !missing_bytes()) || !reads.is_idle()) return;
  LogEndRecord record = log.log_end();
  record.is_clean = true;
  file.save(record, steps);
  going.is_last = true;
}

std::optional<Batch> Storage::take_batch(std::uint64_t now_us) {
  Impl& s = *impl_;
  if (s.flight || s.failure || is_stopped()) return std::nullopt;
  if (s.stall) return s.resume(now_us);
  const bool has_work = s.has_writes() || s.pool.has_released();
  if (!has_work && now_us < wake_at_us()) return std::nullopt;
  InFlightBatch going;
  Batch batch;
  going.last_write = s.durable;
  if (s.is_stopping) s.plan_stop(going, batch.steps);
  if (!going.is_last) {
    const bool cut_waits = s.log.unknown_truncation_end().has_value();
    s.plan_cut_read(going, batch.steps);
    s.plan_released(batch.steps);
    if (s.has_writes() && !cut_waits && !s.missing_bytes()) s.plan_writes(going, batch.steps);
    s.plan_note(going, !going.writes_log && !s.log.has_work(), now_us, batch.steps);
    const SpareDemand wanted = s.wanted_spare();
    s.tried_for = std::min(s.tried_for, wanted);
    if (now_us >= s.spare_at_us(wanted, has_work)) {
      s.tried_for = wanted;
      going.slice_step = batch.steps.size();
      s.plan_spare(batch.steps);
    }
  }
  // A log that waits for room may leave nothing to do now.
  if (batch.steps.empty() && going.last_write == s.durable) return std::nullopt;
  s.flight = std::move(going);
  return batch;
}

std::uint64_t Storage::wake_at_us() const {
  const Impl& s = *impl_;
  if (s.flight || s.failure || is_stopped()) return never_us;
  if (s.stall) return s.stall->retry_at_us;
  if (s.is_stopping) return s.reads.is_idle() ? 0 : never_us;
  if (s.pool.has_released() || (s.has_writes() && !s.missing_bytes())) return 0;
  const std::uint64_t spare_at_us = s.spare_at_us(s.wanted_spare(), false);
  if (s.log.has_work()) return spare_at_us;
  return std::min({spare_at_us, s.note.quiet_at_us, s.note.sync_at_us});
}

Status Storage::Impl::finish_cut_read(const InFlightBatch& done) {
  if (!done.cut_extent) return ok;
  ZATT_ASSERT(!done.read_bytes.empty());
  auto entries =
      read_extent(*done.cut_extent, done.read_bytes.front(), file.state().self.incarnation, 0);
  if (!entries) return located(entries.error());
  const ExtentEntry& first = entries->front();
  log.tell_truncation_end({first.entry.index, first.entry.term, first.checksum});
  return ok;
}

// A full disk may refuse a note, which then waits for the log's next end, or a spare, which is
// tried again; all that was asked of the disk before it is done.
bool Storage::Impl::may_fail(const InFlightBatch& done, const BatchResult& result,
                             std::uint64_t now_us) {
  if (!can_pass(result.status.error())) return false;
  no_room = result.status.error();
  if (done.note_step && result.steps_done == *done.note_step) return true;
  if (!done.slice_step || result.steps_done < *done.slice_step) return false;
  pool.on_disk_full(now_us);
  return true;
}

// Everything else that had no room: the flight goes on from the step that failed.
bool Storage::Impl::wait_for_room(InFlightBatch& done, BatchResult& result, std::uint64_t now_us) {
  if (!can_pass(result.status.error()) || !can_be_tried_again(result.rest.front())) return false;
  const auto move_on = [&result](std::optional<std::size_t>& step) {
    if (step && *step < result.steps_done) step.reset();
    if (step) *step -= result.steps_done;
  };
  move_on(done.note_step);
  move_on(done.slice_step);
  stall = Stall{std::move(done), std::move(result.rest), now_us + stall_us};
  stall_us = std::min(2 * stall_us, last_stall_us);
  return true;
}

std::optional<Batch> Storage::Impl::resume(std::uint64_t now_us) {
  if (now_us < stall->retry_at_us) return std::nullopt;
  Batch batch{std::move(stall->rest)};
  flight = std::move(stall->flight);
  stall.reset();
  return batch;
}

Storage::Done Storage::on_done(BatchResult result, std::uint64_t now_us) {
  Impl& s = *impl_;
  ZATT_ASSERT(s.flight.has_value());
  InFlightBatch flight = std::move(*s.flight);
  s.flight.reset();
  Done done;
  done.durable = s.durable;
  if (s.failure) {  // by a read
    done.status = *s.failure;
    return done;
  }
  for (std::string& bytes : result.reads) flight.read_bytes.push_back(std::move(bytes));
  if (!result.status && !s.may_fail(flight, result, now_us)) {
    if (s.wait_for_room(flight, result, now_us)) return done;
    s.failure = result.status.error();
    done.status = *s.failure;
    return done;
  }
  if (result.status && flight.slice_step) s.pool.on_made_slice();
  s.stall_us = first_stall_us;
  if (auto read = s.finish_cut_read(flight); !read) {
    s.failure = read.error();
    done.status = *s.failure;
    return done;
  }
  s.durable = flight.last_write;
  s.readable = s.log.pending_truncation().value_or(s.log.end().index);
  while (!s.undone.empty() && s.undone.front().number <= s.durable) s.undone.pop_front();
  done.durable = s.durable;
  done.synced = flight.writes_log;
  s.is_stopped = flight.is_last;
  s.tried_for = std::min(s.tried_for, s.wanted_spare());
  if (flight.writes_log) {
    s.note.quiet_at_us = now_us + s.options.note_after_us;
    if (s.note.note_at_us == never_us) s.note.note_at_us = now_us + s.options.note_every_us;
    s.note.sync_at_us = never_us;
  }
  return done;
}

// --- reads -----------------------------------------------------------------------------------

std::optional<Batch> Storage::take_read(std::uint64_t now_us) {
  Impl& s = *impl_;
  if (s.failure || s.is_stopped) return std::nullopt;
  return s.reads.next(s.log.segments(), s.readable, s.pool, now_us);
}

std::uint64_t Storage::read_wake_at_us() const {
  return impl_->failure || impl_->is_stopped ? never_us : impl_->reads.wake_at_us();
}

Storage::Done Storage::on_read(BatchResult result, std::uint64_t now_us) {
  Impl& s = *impl_;
  Done done;
  done.durable = s.durable;
  auto read = s.reads.finish(std::move(result), s.file.state().self.incarnation, s.pool, now_us);
  if (!read && !s.failure) s.failure = s.located(read.error());
  if (s.failure)
    done.status = *s.failure;
  else if (*read)
    done.reads.push_back(std::move(**read));
  return done;
}

Error Storage::Impl::located(Error error) const {
  if (error.code == Code::corrupt) error.detail = options.directory + "/" + error.detail;
  return error;
}

DiskSpace Storage::room() const { return impl_->room(); }

const std::optional<Error>& Storage::no_room() const { return impl_->no_room; }

bool Storage::has_space_for(std::uint64_t bytes) const {
  return !impl_->stall && impl_->log.keeps_half_of_its_end(bytes);
}

DiskSpace Storage::Impl::room() const {
  if (stall) return DiskSpace::full;
  if (!pool.is_stuck()) return DiskSpace::enough;
  if (missing_bytes()) return DiskSpace::full;  // for an entry larger than what is ready
  if (pool.ready() == 0) return log.is_at_its_end() ? DiskSpace::full : DiskSpace::low;
  return pool.ready() == 1 && log.is_nearly_full() ? DiskSpace::low : DiskSpace::enough;
}

std::uint64_t Storage::pending_bytes() const {
  const Impl& s = *impl_;
  const std::uint64_t going = s.flight ? s.flight->bytes : s.stall ? s.stall->flight.bytes : 0;
  return s.log.gathered_bytes() + going;
}

}  // namespace zatt::storage
