// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/log_reads.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "storage/steps.h"

namespace zatt::storage {
namespace {

constexpr std::size_t most_pieces_under_way = 2;
constexpr std::uint64_t read_again_after_us = 1'000'000;

// Of what was asked for; less is not worth another piece.
constexpr std::uint64_t least_piece_bytes = position_every_bytes;

}  // namespace

std::uint64_t LogReads::ask(Index first, std::uint64_t max_bytes, Index last) {
  waiting_.push_back({++last_number_, first, last, max_bytes});
  return last_number_;
}

std::optional<Batch> LogReads::next(const std::vector<Segment>& segments, Index durable,
                                    SegmentPool& pool, std::uint64_t now_us) {
  if (under_way_.size() >= most_pieces_under_way || now_us < wake_at_us()) return std::nullopt;
  Question question = waiting_.front();
  waiting_.pop_front();
  Piece piece;
  piece.question = question;
  const Index last = std::min(question.last, durable);
  piece.extent = find_extent(segments, question.next, last, question.left);
  piece.is_last = true;
  Batch batch;
  if (piece.extent) {
    batch.steps.push_back(read_step(file_name(FileKind::segment, piece.extent->segment),
                                    piece.extent->offset, piece.extent->length));
    pool.hold(piece.extent->segment);
    question.next = piece.extent->ends + 1;
    question.left -= std::min(question.left, piece.extent->length);
    piece.is_last = question.next > last || question.left < least_piece_bytes;
  }
  if (!piece.is_last) waiting_.push_back(question);
  under_way_.push_back(std::move(piece));
  return batch;
}

std::uint64_t LogReads::wake_at_us() const {
  return waiting_.empty() || under_way_.size() >= most_pieces_under_way ? never_us : retry_at_us_;
}

void LogReads::truncate(Index last) {
  for (Question& question : waiting_) question.last = std::min(question.last, last);
  for (Piece& piece : under_way_) {
    piece.question.last = std::min(piece.question.last, last);
    if (piece.extent) piece.extent->last = std::min(piece.extent->last, last);
  }
}

void LogReads::drop(std::uint64_t number) {
  std::erase_if(waiting_, [&](const Question& question) { return question.number == number; });
  for (Piece& piece : under_way_)
    piece.is_dropped = piece.is_dropped || piece.question.number == number;
}

Result<std::optional<Storage::ReadDone>> LogReads::finish(BatchResult result,
                                                          std::uint64_t incarnation,
                                                          SegmentPool& pool, std::uint64_t now_us) {
  ZATT_ASSERT(!under_way_.empty());
  Piece piece = std::move(under_way_.front());
  under_way_.pop_front();
  if (piece.extent) pool.release(piece.extent->segment);
  if (piece.is_dropped) return std::optional<Storage::ReadDone>();
  Question rest = piece.question;
  Storage::ReadDone answer;
  answer.number = rest.number;
  answer.is_last = piece.is_last;
  if (!piece.extent) return std::optional(std::move(answer));
  const bool is_cut = piece.extent->last < piece.extent->ends;
  if (is_cut) {
    hit(instrumentation_, CoveragePoint::read_met_a_cut);
    answer.is_last = true;
    drop(rest.number);
    // All of it is gone, and so may be what the file held there.
    if (piece.extent->last < piece.extent->wanted) return std::optional(std::move(answer));
  }
  if (!result.status && can_pass(result.status.error())) {
    retry_at_us_ = now_us + read_again_after_us;
    drop(rest.number);
    waiting_.push_front(rest);
    return std::optional<Storage::ReadDone>();
  }
  if (!result.status) return result.status.error();
  ZATT_ASSERT(result.reads.size() == 1);
  auto entries = read_extent(*piece.extent, result.reads.front(), incarnation, rest.left);
  if (!entries) return entries.error();
  for (ExtentEntry& entry : *entries) answer.entries.push_back(std::move(entry.entry));
  if (!answer.is_last && answer.entries.back().index < piece.extent->ends) {
    // Larger together than one answer may be: what follows is read from there.
    drop(rest.number);
    rest.next = answer.entries.back().index + 1;
    waiting_.push_front(rest);
  }
  return std::optional(std::move(answer));
}

}  // namespace zatt::storage
