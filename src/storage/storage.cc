// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/storage.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/checksum.h"
#include "storage/lives.h"
#include "storage/log_extent.h"
#include "storage/log_writer.h"
#include "storage/slots.h"
#include "storage/spares.h"
#include "storage/start.h"
#include "storage/steps.h"

namespace zatt::storage {
namespace {

struct ReadQuestion {
  std::uint64_t number = 0;
  Index first{};
  std::uint64_t max_bytes = 0;
};

// A read on its way: an answer to somebody, or what a cut has to know of the entry it ends at.
struct ReadUnderWay {
  ReadQuestion question;
  std::optional<Extent> extent;  // nothing: there is nothing to read
  bool is_for_cut = false;
};

struct Flight {
  Storage::Ticket ticket = 0;
  std::uint64_t bytes = 0;
  bool writes_log = false;
  std::vector<ReadUnderWay> reads;
  std::optional<std::size_t> slice_step;  // where the spare's slice begins
};

// What a spare is wanted for: to be the reserve, or the next segment beside it, or because no room
// is left but the reserve, or because the log waits for it.
enum class Want { nothing, reserve, next_segment, room, waiting };

bool is_disk_full(const Error& error) { return error.sys == ENOSPC || error.sys == EDQUOT; }

}  // namespace

struct Storage::Impl {
  Impl(const Options& given, HardState hard_state, Started started)
      : options(given),
        state(std::move(hard_state)),
        turn(started.turn),
        log(std::move(started.log)),
        spares(std::move(started.spares)) {}

  Options options;
  HardState state;
  SlotTurn turn;
  LogWriter log;
  Spares spares;

  bool save_waits = false;
  Ticket ticket = 0;  // the last given out
  Ticket durable = 0;
  std::uint64_t next_read = 1;
  std::vector<ReadQuestion> reads;
  std::optional<Flight> flight;
  std::optional<Error> failure;
  std::optional<std::uint64_t> mark_at_us;  // nothing: the log's end has its mark
  Want tried_for = Want::nothing;  // the last try to make a spare, where less is not wanted now

  bool has_writes() const { return ticket > durable; }
  std::optional<std::uint64_t> missing_bytes() const;
  Room room() const;
  Want wanted_spare() const;
  std::optional<std::uint64_t> spare_at_us(Want wanted, bool has_work) const;
  void plan_spare(std::vector<Step>& steps);
  void plan_reads(Flight& going, std::vector<Step>& steps);
  void plan_writes(Flight& going, std::vector<Step>& steps);
  Status finish_reads(Flight& done, std::vector<std::string>& bytes, std::vector<ReadDone>& out);
};

Result<std::unique_ptr<Storage>> Storage::start(Disk& disk, const Options& options, Found found,
                                                const HardState& state) {
  HardState raised = state;
  auto started = start_directory(disk, options, std::move(found), raised);
  if (!started) return started.error();
  auto impl = std::make_unique<Impl>(options, std::move(raised), std::move(*started));
  return std::unique_ptr<Storage>(new Storage(std::move(impl)));
}

Storage::Storage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Storage::~Storage() = default;

const HardState& Storage::hard_state() const { return impl_->state; }
Index Storage::last_index() const { return impl_->log.last_index(); }

// --- gathering
// ------------------------------------------------------------------------------------

Storage::Ticket Storage::save(const HardState& state) {
  impl_->state = state;
  impl_->save_waits = true;
  return ++impl_->ticket;
}

Storage::Ticket Storage::cut(Index last) {
  impl_->log.cut(last);
  return ++impl_->ticket;
}

Storage::Ticket Storage::append(std::span<const EntryView> entries) {
  impl_->log.append(entries);
  return ++impl_->ticket;
}

std::uint64_t Storage::read(Index first, std::uint64_t max_bytes) {
  impl_->reads.push_back({impl_->next_read, first, max_bytes});
  return impl_->next_read++;
}

// --- batches
// --------------------------------------------------------------------------------------

// Of the segment that the log waits for, where there is none.
std::optional<std::uint64_t> Storage::Impl::missing_bytes() const {
  const auto bytes = log.waits_for_segment();
  return bytes && !spares.has_ready(*bytes) ? bytes : std::nullopt;
}

// One is kept in reserve, for the day when the disk is full; the next roll-over has another.
Want Storage::Impl::wanted_spare() const {
  if (missing_bytes()) return Want::waiting;
  if (room() != Room::plenty) return Want::room;
  if (spares.ready() == 0) return Want::reserve;
  return spares.ready() == 1 && log.is_half_full() ? Want::next_segment : Want::nothing;
}

// When a spare is to be gone on with. A disk that was full is tried again at once where more hangs
// on it than at the last try, and else after a while.
std::optional<std::uint64_t> Storage::Impl::spare_at_us(Want wanted, bool has_work) const {
  if (wanted == Want::nothing) return std::nullopt;
  if (!spares.is_stuck() || wanted > tried_for) return 0;
  if (wanted < Want::room && !has_work) return std::nullopt;
  return spares.retry_at_us();
}

void Storage::Impl::plan_spare(std::vector<Step>& steps) {
  if (const auto bytes = missing_bytes())
    spares.make_whole(*bytes, steps);
  else
    spares.make_slice(steps);
}

void Storage::Impl::plan_reads(Flight& going, std::vector<Step>& steps) {
  const Index last = log.pending_cut().value_or(log.end().index);
  for (const ReadQuestion& question : reads) {
    ReadUnderWay read;
    read.question = question;
    read.extent = find_extent(log.lives(), question.first, last, question.max_bytes);
    going.reads.push_back(read);
  }
  reads.clear();
  if (const auto index = log.unknown_cut_end()) {
    ReadUnderWay read;
    read.is_for_cut = true;
    read.extent = find_extent(log.lives(), *index, log.end().index, 0);
    ZATT_ASSERT(read.extent.has_value());
    going.reads.push_back(read);
  }
  for (const ReadUnderWay& read : going.reads)
    if (read.extent)
      steps.push_back(read_step(file_name(FileKind::segment, read.extent->life),
                                read.extent->offset, read.extent->length));
}

void Storage::Impl::plan_writes(Flight& going, std::vector<Step>& steps) {
  if (save_waits) write_slots(state, hard_state_name, turn, steps);
  save_waits = false;
  going.bytes = log.gathered_bytes();
  going.writes_log = log.has_work();
  if (log.has_work()) log.lay_out(spares, steps);
  going.bytes -= log.gathered_bytes();
  if (!log.has_work()) going.ticket = ticket;  // else none of it is called durable yet
}

std::optional<Batch> Storage::take_batch(std::uint64_t now_us) {
  Impl& s = *impl_;
  if (s.flight || s.failure) return std::nullopt;
  Flight going;
  Batch batch;
  going.ticket = s.durable;
  const bool has_work = s.has_writes() || !s.reads.empty();
  const bool cut_waits = s.log.unknown_cut_end().has_value();
  s.plan_reads(going, batch.steps);
  if (s.has_writes() && !cut_waits && !s.missing_bytes()) s.plan_writes(going, batch.steps);
  const bool is_quiet = !going.writes_log && !s.log.has_work();
  bool marks = false;
  if (is_quiet && s.mark_at_us && now_us >= *s.mark_at_us) {
    marks = s.log.can_mark();
    if (marks) s.log.mark(batch.steps);
    s.mark_at_us.reset();
  }
  const Want wanted = s.wanted_spare();
  s.tried_for = std::min(s.tried_for, wanted);
  if (const auto at_us = s.spare_at_us(wanted, has_work); at_us && now_us >= *at_us) {
    s.tried_for = wanted;
    going.slice_step = batch.steps.size();
    s.plan_spare(batch.steps);
  }
  // A log that waits for room may leave nothing to do now; reads of nothing are answered anyway.
  if (batch.steps.empty() && going.reads.empty() && going.ticket == s.durable) return std::nullopt;
  s.flight = std::move(going);
  return batch;
}

std::optional<std::uint64_t> Storage::wake_at_us() const {
  const Impl& s = *impl_;
  if (s.flight || s.failure) return std::nullopt;
  if (!s.reads.empty() || (s.has_writes() && !s.missing_bytes())) return 0;
  std::optional<std::uint64_t> at;
  if (!s.missing_bytes()) at = s.mark_at_us;
  if (const auto spare_at_us = s.spare_at_us(s.wanted_spare(), false))
    at = std::min(at.value_or(*spare_at_us), *spare_at_us);
  return at;
}

Status Storage::Impl::finish_reads(Flight& done, std::vector<std::string>& bytes,
                                   std::vector<ReadDone>& out) {
  std::size_t next = 0;
  for (ReadUnderWay& read : done.reads) {
    ReadDone answer;
    answer.number = read.question.number;
    if (read.extent) {
      ZATT_ASSERT(next < bytes.size());
      auto entries =
          read_extent(*read.extent, bytes[next++], state.self.incarnation, read.question.max_bytes);
      if (!entries) {
        Error error = entries.error();
        error.detail = options.directory + "/" + error.detail;
        return error;
      }
      if (read.is_for_cut) {
        const ExtentEntry& first = entries->front();
        log.tell_cut_end({first.entry.index, first.entry.term, first.checksum});
      }
      const Index last = log.pending_cut().value_or(log.end().index);
      for (ExtentEntry& entry : *entries)
        if (entry.entry.index <= last) answer.entries.push_back(std::move(entry.entry));
    }
    if (!read.is_for_cut) out.push_back(std::move(answer));
  }
  return ok;
}

Storage::Done Storage::on_done(BatchResult result, std::uint64_t now_us) {
  Impl& s = *impl_;
  ZATT_ASSERT(s.flight.has_value());
  Flight flight = std::move(*s.flight);
  s.flight.reset();
  Done done;
  done.durable = s.durable;
  if (!result.status) {
    const bool only_the_spare = flight.slice_step && result.steps_done >= *flight.slice_step &&
                                is_disk_full(result.status.error());
    if (!only_the_spare) {
      s.failure = result.status.error();
      done.status = *s.failure;
      return done;
    }
    s.spares.on_disk_full(now_us);
  } else if (flight.slice_step) {
    s.spares.on_made_slice();
  }
  if (auto read = s.finish_reads(flight, result.reads, done.reads); !read) {
    s.failure = read.error();
    done.status = *s.failure;
    return done;
  }
  s.durable = flight.ticket;
  done.durable = s.durable;
  if (flight.writes_log) s.mark_at_us = now_us + s.options.mark_after_us;
  return done;
}

Room Storage::room() const { return impl_->room(); }

bool Storage::fits(std::uint64_t bytes) const { return impl_->log.keeps_half_of_its_end(bytes); }

Room Storage::Impl::room() const {
  if (!spares.is_stuck()) return Room::plenty;
  if (missing_bytes()) return Room::none;  // for an entry larger than what is ready
  if (spares.ready() == 0) return log.is_at_its_end() ? Room::none : Room::little;
  return spares.ready() == 1 && log.is_nearly_full() ? Room::little : Room::plenty;
}

std::uint64_t Storage::pending_bytes() const {
  return impl_->log.gathered_bytes() + (impl_->flight ? impl_->flight->bytes : 0);
}

}  // namespace zatt::storage
