// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/storage.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

#include "base/assert.h"
#include "base/checksum.h"
#include "storage/in_flight.h"
#include "storage/log_extent.h"
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

// Or a file may not be as large, or no more may be open: all of them can pass.
bool is_disk_full(const Error& error) {
  return error.sys == ENOSPC || error.sys == EDQUOT || error.sys == EFBIG || error.sys == EMFILE ||
         error.sys == ENFILE;
}

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
        pool(std::move(started.pool)) {}

  Options options;
  HardStateFile file;
  LogWriter log;
  SegmentPool pool;

  bool save_waits = false;
  WriteNumber last_write{};
  WriteNumber durable{};
  std::deque<UndoneWrite> undone;       // ascending
  std::optional<WriteNumber> cut_from;  // from this write on all waits for a cut
  bool is_stopping = false;
  bool is_stopped = false;
  std::uint64_t next_read = 1;
  std::vector<ReadQuestion> reads;
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
  void plan_reads(InFlightBatch& going, std::vector<Step>& steps);
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
  // Decodes what was read into answers. Code::corrupt where a record does not check any more.
  Status finish_reads(InFlightBatch& done, std::vector<ReadDone>& out);
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

std::uint64_t Storage::read(Index first, std::uint64_t max_bytes) {
  impl_->reads.push_back({impl_->next_read, first, max_bytes});
  return impl_->next_read++;
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

void Storage::Impl::plan_spare(std::vector<Step>& steps) {
  if (const auto bytes = missing_bytes())
    pool.make_whole(*bytes, steps);
  else
    pool.make_slice(steps);
}

void Storage::Impl::plan_reads(InFlightBatch& going, std::vector<Step>& steps) {
  const Index last = log.pending_truncation().value_or(log.end().index);
  for (const ReadQuestion& question : reads) {
    const auto extent = find_extent(log.segments(), question.first, last, question.max_bytes);
    going.reads.push_back({.question = question, .extent = extent});
  }
  reads.clear();
  if (const auto index = log.unknown_truncation_end()) {
    const auto extent = find_extent(log.segments(), *index, log.end().index, 0);
    ZATT_ASSERT(extent.has_value());
    going.reads.push_back({.question = {}, .extent = extent, .is_for_cut = true});
  }
  for (const ReadUnderWay& read : going.reads)
    if (read.extent)
      steps.push_back(read_step(file_name(FileKind::segment, read.extent->segment),
                                read.extent->offset, read.extent->length));
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
  if ((has_writes() && !missing_bytes()) || !reads.empty()) return;
  LogEndRecord record = log.log_end();
  record.is_clean = true;
  file.save(record, steps);
  going.is_last = true;
}

std::optional<Batch> Storage::take_batch(std::uint64_t now_us) {
  Impl& s = *impl_;
  if (s.flight || s.failure || is_stopped()) return std::nullopt;
  if (s.stall) return s.resume(now_us);
  const bool has_work = s.has_writes() || !s.reads.empty();
  if (!has_work && now_us < wake_at_us()) return std::nullopt;
  InFlightBatch going;
  Batch batch;
  going.last_write = s.durable;
  if (s.is_stopping) s.plan_stop(going, batch.steps);
  if (!going.is_last) {
    const bool cut_waits = s.log.unknown_truncation_end().has_value();
    s.plan_reads(going, batch.steps);
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
  // A log that waits for room may leave nothing to do now; reads of nothing are answered anyway.
  if (batch.steps.empty() && going.reads.empty() && going.last_write == s.durable)
    return std::nullopt;
  s.flight = std::move(going);
  return batch;
}

std::uint64_t Storage::wake_at_us() const {
  const Impl& s = *impl_;
  if (s.flight || s.failure || is_stopped()) return never_us;
  if (s.stall) return s.stall->retry_at_us;
  if (s.is_stopping || !s.reads.empty() || (s.has_writes() && !s.missing_bytes())) return 0;
  const std::uint64_t spare_at_us = s.spare_at_us(s.wanted_spare(), false);
  if (s.log.has_work()) return spare_at_us;
  return std::min({spare_at_us, s.note.quiet_at_us, s.note.sync_at_us});
}

Status Storage::Impl::finish_reads(InFlightBatch& done, std::vector<ReadDone>& out) {
  std::size_t next = 0;
  for (ReadUnderWay& read : done.reads) {
    ReadDone answer;
    answer.number = read.question.number;
    if (read.extent) {
      ZATT_ASSERT(next < done.read_bytes.size());
      auto entries = read_extent(*read.extent, done.read_bytes[next++],
                                 file.state().self.incarnation, read.question.max_bytes);
      if (!entries) {
        Error error = entries.error();
        error.detail = options.directory + "/" + error.detail;
        return error;
      }
      if (read.is_for_cut) {
        const ExtentEntry& first = entries->front();
        log.tell_truncation_end({first.entry.index, first.entry.term, first.checksum});
      }
      const Index last = log.pending_truncation().value_or(log.end().index);
      for (ExtentEntry& entry : *entries)
        if (entry.entry.index <= last) answer.entries.push_back(std::move(entry.entry));
    }
    if (!read.is_for_cut) out.push_back(std::move(answer));
  }
  return ok;
}

// A full disk may refuse a note, which then waits for the log's next end, or a spare, which is
// tried again; all that was asked of the disk before it is done.
bool Storage::Impl::may_fail(const InFlightBatch& done, const BatchResult& result,
                             std::uint64_t now_us) {
  if (!is_disk_full(result.status.error())) return false;
  no_room = result.status.error();
  if (done.note_step && result.steps_done == *done.note_step) return true;
  if (!done.slice_step || result.steps_done < *done.slice_step) return false;
  pool.on_disk_full(now_us);
  return true;
}

// Everything else that had no room: the flight goes on from the step that failed.
bool Storage::Impl::wait_for_room(InFlightBatch& done, BatchResult& result, std::uint64_t now_us) {
  if (!is_disk_full(result.status.error()) || !can_be_tried_again(result.rest.front()))
    return false;
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
  for (std::string& bytes : result.reads) flight.read_bytes.push_back(std::move(bytes));
  if (!result.status && !s.may_fail(flight, result, now_us)) {
    if (s.wait_for_room(flight, result, now_us)) return done;
    s.failure = result.status.error();
    done.status = *s.failure;
    return done;
  }
  if (result.status && flight.slice_step) s.pool.on_made_slice();
  s.stall_us = first_stall_us;
  if (auto read = s.finish_reads(flight, done.reads); !read) {
    s.failure = read.error();
    done.status = *s.failure;
    return done;
  }
  s.durable = flight.last_write;
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
