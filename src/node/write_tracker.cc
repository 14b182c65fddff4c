// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/write_tracker.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace zatt::node {
namespace {

using codec::ErrorCode;
using Forwarded = codec::ForwardReply::What;

constexpr std::size_t propose_bytes = 1 << 20;
constexpr std::size_t max_waiters = 100'000;  // proposals that are not applied

// Of writes that others have forwarded and that are not decided. Each of them may pass its share by
// one write.
constexpr std::uint64_t max_forwarded_bytes = 8 << 20;

}  // namespace

WriteTracker::WriteTracker(const Options& options, Env& env, const raft::Raft& raft,
                           const Persister& persister, PeerConnections& connections,
                           ClientQueues& clients)
    : options_(options),
      raft_(raft),
      persister_(persister),
      connections_(connections),
      clients_(clients),
      admission_(env),
      forwards_(options, persister, connections, clients) {}

void WriteTracker::batch(PendingRequest& pending, const Target& target) {
  if (target.link != LinkId::none) return forwards_.send(pending, target);
  gather({{pending.id}, target.term, std::move(*command_of(pending.request))});
}

void WriteTracker::on_forward(PeerConnection& peer, const codec::Forward& forward) {
  if (forward.number <= peer.last_number_seen) return;  // repeated or overtaken
  peer.last_number_seen = forward.number;
  const Origin origin{RequestId{}, peer.id, forward.number, forward.any_result};
  if (!raft_.is_leader() || forward.term != raft_.current_term())
    answer_forward(origin, Forwarded::not_taken);
  else if (has_too_many() ||
           !admission().has_room(gathered_bytes_, Admission::first_forwarded_bytes))
    answer_forward(origin, Forwarded::overloaded);
  else if (has_no_room_for(forward.grows))
    answer_forward(origin, Forwarded::storage_full);
  else
    gather({origin, forward.term, std::string(forward.command)});
}

void WriteTracker::gather(Gathered write) {
  gathered_bytes_ += write.command.size();
  gathered_.push_back(std::move(write));
}

bool WriteTracker::must_wait(std::uint64_t now_us) {
  const bool is_wanted = raft_.has_lagging_voter(now_us);
  if (is_wanted && wait_until_us_ == 0) {
    hit(options_.instrumentation, CoveragePoint::proposals_waited_for_a_voter);
    wait_until_us_ = now_us + max_wait_us;
  }
  if (is_wanted && now_us < wait_until_us_) return true;
  wait_until_us_ = 0;
  return false;
}

std::optional<raft::Propose> WriteTracker::next_proposal() {
  ZATT_ASSERT(proposing_.empty());
  if (gathered_.empty()) return std::nullopt;
  std::size_t taken = 0, bytes = 0;
  raft::Propose propose;
  propose.term = raft_.current_term();
  while (taken < gathered_.size() && bytes < propose_bytes) {
    Gathered& write = gathered_[taken++];
    gathered_bytes_ -= write.command.size();
    if (!raft_.is_leader() || write.term != raft_.current_term()) {
      give_back(write.origin, std::move(write.command));
      continue;
    }
    bytes += write.command.size();
    propose.proposals.push_back({EntryKind::command, std::move(write.command)});
    proposing_.push_back({write.term, write.origin});
  }
  gathered_.erase(gathered_.begin(), gathered_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (proposing_.empty()) return std::nullopt;
  proposing_bytes_ = bytes;
  return propose;
}

void WriteTracker::on_proposed(Index first) {
  if (proposing_.empty()) return;
  ZATT_ASSERT(first > Index{0});
  tell_proposed(first);
  for (const Waiter& waiter : proposing_) {
    waiters_.emplace(first, waiter);
    ++first;
  }
  proposing_.clear();
  admission().on_proposed(first - 1, proposing_bytes_);
}

void WriteTracker::give_back(const Origin& origin, std::string command) {
  if (origin.link != LinkId::none) return answer_forward(origin, Forwarded::not_taken);
  PendingRequest* pending = clients_.find_request(origin.request);
  if (pending == nullptr) return;
  *command_of(pending->request) = std::move(command);
  clients_.return_to_waiting(origin.request);
}

void WriteTracker::answer_forward(const Origin& origin, Forwarded what, std::string_view result,
                                  Index index) {
  PeerConnection* peer = connections_.find_link(origin.link);
  if (peer == nullptr) return;
  connections_.send(*peer, Priority::bulk,
                    codec::ForwardReply{origin.number, what, result, index, 1, credit()});
}

void WriteTracker::answer_applied(const Origin& origin, std::string_view result, Index index) {
  if (result.size() <= codec::max_result_bytes || origin.any_result)
    answer_forward(origin, Forwarded::result, result, index);
  else
    answer_forward(origin, Forwarded::applied, {}, index);
}

// What came together has mostly been proposed together.
void WriteTracker::tell_proposed(Index first) {
  for (std::size_t begin = 0, end = 0; begin < proposing_.size(); begin = end) {
    const Origin& origin = proposing_[begin].origin;
    end = begin + 1;
    PeerConnection* peer = connections_.find_link(origin.link);
    if (peer == nullptr) continue;
    while (end < proposing_.size() && proposing_[end].origin.link == origin.link &&
           proposing_[end].origin.number == origin.number + (end - begin))
      ++end;
    codec::ForwardReply reply{origin.number, Forwarded::proposed, {}, first + begin};
    reply.count = static_cast<std::uint32_t>(end - begin);
    reply.credit = credit();
    connections_.send(*peer, Priority::bulk, reply);
  }
}

std::uint64_t WriteTracker::credit() const {
  return max_forwarded_bytes / std::max<std::size_t>(connections_.by_id().size(), 1);
}

void WriteTracker::on_applied(Index index, Term term, std::string_view reply) {
  admission().on_applied(index);
  const auto [first, last] = waiters_.equal_range(index);
  for (auto it = first; it != last; ++it) {
    const auto& [waiter_term, origin] = it->second;
    const bool ours = waiter_term == term;
    if (!ours)
      finish_replaced(origin);
    else if (origin.link != LinkId::none)
      answer_applied(origin, reply, index);
    else if (PendingRequest* pending = clients_.find_request(origin.request))
      clients_.finish_applied(*pending, std::string(reply), index);
  }
  waiters_.erase(first, last);
  forwards_.on_applied(index, term, reply);
  if (term > settled_term_) give_up_replaced(term);
  settled_term_ = term;
}

// Terms do not fall along a log: after a committed entry of this term, none of an earlier one is
// ever committed.
void WriteTracker::give_up_replaced(Term term) {
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    if (it->second.term >= term) {
      ++it;
      continue;
    }
    finish_replaced(it->second.origin);
    it = waiters_.erase(it);
  }
}

void WriteTracker::finish_replaced(const Origin& origin) {
  hit(options_.instrumentation, CoveragePoint::proposal_replaced);
  if (origin.link != LinkId::none)
    answer_forward(origin, Forwarded::replaced);
  else if (PendingRequest* pending = clients_.find_request(origin.request))
    clients_.finish_error(*pending, ErrorCode::no_leader, replaced_text);
}

bool WriteTracker::has_too_many() const {
  return persister_.has_too_much_to_sync() ||
         raft_.log().bytes_in_memory() > options_.max_log_bytes + Persister::max_unsynced_bytes ||
         waiters_.size() > max_waiters || inject(options_.instrumentation, FaultPoint::overload);
}

bool WriteTracker::has_no_room_for(bool grows) const {
  return raft_.room() > (grows ? DiskSpace::enough : DiskSpace::low);
}

}  // namespace zatt::node
