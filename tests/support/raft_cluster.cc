// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/support/raft_cluster.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "base/checksum.h"

namespace zatt::test {

namespace {
constexpr std::uint64_t ms = 1000;

bool is_meant(const Which& which, const Letter& letter) {
  return is_meant(which, kind_of(letter.message), letter.from.id, letter.to.id,
                  term_of(letter.message));
}
}  // namespace

Letter::Letter(MemberId sender, const raft::Envelope& envelope)
    : from(std::move(sender)), to(envelope.to), message(envelope.message) {
  if (auto* append = std::get_if<raft::AppendEntries>(&message)) {
    for (const EntryView& view : append->entries) entries.push_back(owned(view));
    append->entries.clear();
  }
}

raft::Message Letter::open() const {
  raft::Message opened = message;
  if (auto* append = std::get_if<raft::AppendEntries>(&opened))
    for (const Entry& entry : entries) append->entries.push_back(entry.view());
  return opened;
}

// --- disks ---------------------------------------------------------------------------------------

void Disk::keep(const Write& write, raft::HardState& hard_state, std::vector<Entry>& log) {
  if (write.hard_state) hard_state = *write.hard_state;
  if (write.truncate) log.resize(std::min<std::size_t>(log.size(), raw(*write.truncate)));
  for (const Entry& entry : write.append) {
    ZATT_ASSERT(entry.index == Index{log.size() + 1});
    log.push_back(entry);
  }
}

bool Disk::holds(Index index, Term term) const {
  return index == Index{0} || (raw(index) <= log.size() && log[raw(index) - 1].term == term);
}

std::vector<Entry> Disk::written() const {
  raft::HardState last = hard_state;
  std::vector<Entry> entries = log;
  for (const Write& write : under_way) keep(write, last, entries);
  return entries;
}

bool RaftCluster::complete_write(const std::string& id) {
  Seat& s = seat(id);
  if (!s.raft || s.disk.under_way.empty()) return false;
  const Disk::Write write = std::move(s.disk.under_way.front());
  s.disk.under_way.pop_front();
  Disk::keep(write, s.disk.hard_state, s.disk.log);
  step(id, raft::Persisted{write.number});
  return true;
}

bool RaftCluster::work_disk(const std::string& id) {
  const Seat& s = seat(id);
  if (!s.raft || s.disk.held) return false;
  if (!s.fetches.empty()) {
    answer_fetches(id);
    return true;
  }
  return complete_write(id);
}

void RaftCluster::answer_fetches(const std::string& id) {
  std::deque<raft::Fetch> fetches;
  fetches.swap(seat(id).fetches);
  for (const raft::Fetch& fetch : fetches) {
    const std::vector<Entry> written = seat(id).disk.written();
    raft::Fetched fetched{fetch.number, {}};
    std::uint64_t bytes = 0;
    for (Index index = fetch.first; index <= fetch.last && raw(index) <= written.size(); ++index) {
      const Entry& entry = written[raw(index) - 1];
      bytes += raft::cost(entry.body.size());
      if (!fetched.entries.empty() && bytes > fetch.max_bytes) break;
      fetched.entries.push_back(entry.view());
    }
    step(id, fetched);
  }
}

// --- servers -------------------------------------------------------------------------------------

RaftCluster::RaftCluster(const std::vector<std::string>& voters,
                         const std::vector<std::string>& learners, const Options& options)
    : options_(options) {
  raft::Configuration configuration;
  const auto add = [&](const std::string& id, bool voter) {
    Seat& s = seats_[id];
    s.self = {id, seats_.size()};
    configuration.members.push_back({s.self, {id, 1}, voter, false, !voter});
  };
  for (const std::string& id : voters) add(id, true);
  for (const std::string& id : learners) add(id, false);
  std::sort(configuration.members.begin(), configuration.members.end(),
            [](const raft::Member& a, const raft::Member& b) { return a.server < b.server; });
  for (auto& [id, s] : seats_) {
    make_raft(s);
    step(id, raft::Bootstrap{configuration});
    complete_write(id);
  }
  for (auto a = seats_.begin(); a != seats_.end(); ++a)
    for (auto b = std::next(a); b != seats_.end(); ++b) meet(a->first, b->first);
}

void RaftCluster::make_raft(Seat& s) {
  Options options = options_;
  options.self = s.self;
  options.election_timeout_us = timeout_us;
  options.check_output = true;
  options.seed = options_.seed + 1000 * s.self.incarnation + starts_;
  s.raft = std::make_unique<raft::Raft>(options);
  for (const Entry& entry : s.disk.log) s.raft->restore(entry.view());
  s.raft->restore(s.self, s.disk.hard_state);
  s.boot_id = BootId{++starts_};
  s.highest_term = s.raft->current_term();
  s.applied = Index{0};
  s.reads.clear();
}

std::vector<std::string> RaftCluster::ids() const {
  std::vector<std::string> all;
  for (const auto& [id, s] : seats_) all.push_back(id);
  return all;
}

std::optional<std::string> RaftCluster::leader() const {
  std::optional<std::string> found;
  for (const auto& [id, s] : seats_) {
    if (!s.raft || !s.raft->is_leader()) continue;
    if (!found || at(*found).current_term() < s.raft->current_term()) found = id;
  }
  return found;
}

Index RaftCluster::step(const std::string& id, decltype(raft::Input::event) event) {
  Seat& s = seat(id);
  ZATT_ASSERT(s.raft != nullptr);
  const raft::Output output = s.raft->step({now_us(id), wall_us(id), std::move(event)});
  take_output(id, output);
  return output.proposed;
}

void RaftCluster::take_output(const std::string& id, const raft::Output& output) {
  Seat& s = seat(id);
  if (output.write != WriteNumber{}) {
    Disk::Write write{output.write, output.hard_state, output.truncate, {}};
    for (const EntryView& view : output.append) write.append.push_back(owned(view));
    s.disk.under_way.push_back(std::move(write));
  }
  for (const raft::Envelope& envelope : output.messages) {
    check_said(s, envelope);
    post(Letter(s.self, envelope));
  }
  s.fetches.insert(s.fetches.end(), output.fetches.begin(), output.fetches.end());
  s.reads.insert(s.reads.end(), output.reads.begin(), output.reads.end());
  check_step(id, s);
  if (s.raft->commit_index() == s.applied) return;
  s.applied = s.raft->commit_index();
  step(id, raft::Applied{s.applied});
}

void RaftCluster::crash(const std::string& id) {
  Seat& s = seat(id);
  ZATT_ASSERT(s.raft != nullptr);
  s.raft.reset();
  s.disk.under_way.clear();
  s.fetches.clear();
  for (const auto& [other, unused] : seats_)
    if (other != id && !is_cut(other, id) && !is_cut(id, other)) part(other, id);
}

void RaftCluster::start(const std::string& id) {
  ZATT_ASSERT(!is_up(id));
  make_raft(seat(id));
  step(id, raft::Tick{});  // it learns what time it is
  for (const auto& [other, unused] : seats_)
    if (other != id) meet(other, id);
}

void RaftCluster::wipe(const std::string& id) {
  ZATT_ASSERT(!is_up(id));
  seat(id).disk = {};
  seat(id).self.incarnation += 100;
}

// --- the network ---------------------------------------------------------------------------------

void RaftCluster::meet(const std::string& a, const std::string& b) {
  if (!is_up(a) || !is_up(b) || is_cut(a, b) || is_cut(b, a)) return;
  step(a, raft::PeerUp{seat(b).self, seat(b).boot_id});
  step(b, raft::PeerUp{seat(a).self, seat(a).boot_id});
}

void RaftCluster::part(const std::string& a, const std::string& b) {
  discard({std::nullopt, a, b});
  discard({std::nullopt, b, a});
  if (is_up(a)) step(a, raft::PeerDown{seat(b).self});
  if (is_up(b)) step(b, raft::PeerDown{seat(a).self});
}

void RaftCluster::isolate(const std::string& id) {
  for (const auto& [other, unused] : seats_) {
    if (other == id) continue;
    cut(id, other);
    cut(other, id);
  }
}

void RaftCluster::mend(const std::string& a, const std::string& b) {
  if (!is_cut(a, b) && !is_cut(b, a)) return;
  cut_.erase({a, b});
  cut_.erase({b, a});
  part(a, b);
  meet(a, b);
}

void RaftCluster::heal(const std::string& id) {
  for (const auto& [other, unused] : seats_)
    if (other != id) mend(id, other);
}

bool RaftCluster::is_cut(const std::string& from, const std::string& to) const {
  return cut_.contains({from, to});
}

std::deque<Letter> RaftCluster::under_way(const Which& which) const {
  std::deque<Letter> found;
  for (const Letter& letter : letters_)
    if (is_meant(which, letter)) found.push_back(letter);
  return found;
}

std::uint64_t RaftCluster::sent(const Which& which) const {
  std::uint64_t count = 0;
  for (const auto& [sent, n] : sent_)
    if (is_meant(which, sent.kind, sent.from, sent.to, sent.term)) count += n;
  return count;
}

bool RaftCluster::has_fate(Fate fate, const Letter& letter) const {
  return rules_.has(fate, kind_of(letter.message), letter.from.id, letter.to.id,
                    term_of(letter.message));
}

void RaftCluster::discard(const Which& which) {
  std::erase_if(letters_, [&](const Letter& letter) { return is_meant(which, letter); });
}

void RaftCluster::post(Letter letter) {
  const Kind kind = kind_of(letter.message);
  const Term term = term_of(letter.message);
  ++sent_[{kind, letter.from.id, letter.to.id, term}];
  if (is_cut(letter.from.id, letter.to.id) ||
      rules_.loses(kind, letter.from.id, letter.to.id, term))
    return;
  if (has_fate(Fate::twice, letter)) letters_.push_back(letter);
  letters_.push_back(std::move(letter));
}

bool RaftCluster::is_deliverable(const Letter& letter) const {
  return !has_fate(Fate::hold, letter);
}

void RaftCluster::deliver(const Letter& letter) {
  const Seat& to = seat(letter.to.id);
  if (!to.raft || to.self != letter.to || is_cut(letter.from.id, letter.to.id)) return;
  if (on_delivery) on_delivery(letter);
  const raft::Message message = letter.open();
  step(letter.to.id, raft::Received{letter.from, &message});
}

void RaftCluster::deliver(const Which& which) {
  std::deque<Letter> now;
  std::deque<Letter> kept;
  now.swap(letters_);
  for (const Letter& letter : now) {
    if (is_meant(which, letter) && is_deliverable(letter))
      deliver(letter);
    else
      kept.push_back(letter);
  }
  letters_.insert(letters_.begin(), kept.begin(), kept.end());
}

void RaftCluster::quiesce() {
  for (int turns = 0;; ++turns) {
    ZATT_ASSERT(turns < 100'000);
    if (std::any_of(letters_.begin(), letters_.end(),
                    [this](const Letter& letter) { return is_deliverable(letter); })) {
      deliver();
      continue;
    }
    bool worked = false;
    for (const auto& [id, unused] : seats_) worked = work_disk(id) || worked;
    if (!worked) return;
  }
}

void RaftCluster::settle() {
  quiesce();
  pass(timeout_us / 5);
  for (const auto& [id, s] : seats_)
    if (s.raft && s.raft->is_leader()) step(id, raft::Tick{});
  quiesce();
}

bool RaftCluster::elect(const std::string& id) {
  pass(timeout_us);
  // The first answers may only tell it of a higher term.
  for (int tries = 0; tries < 3 && !at(id).is_leader(); ++tries) {
    fire(id);
    quiesce();
  }
  settle();
  return at(id).is_leader();
}

bool RaftCluster::propose(const std::string& id, const std::vector<std::string>& bodies) {
  raft::Propose propose{at(id).current_term(), {}};
  for (const std::string& body : bodies) propose.proposals.push_back({EntryKind::command, body});
  return step(id, std::move(propose)) != Index{0};
}

void RaftCluster::read(const std::string& id, std::uint64_t number, bool to_log_end) {
  step(id, raft::ReadRequests{at(id).current_term(), {{number, to_log_end}}});
}

// --- time ----------------------------------------------------------------------------------------

std::uint64_t RaftCluster::wall_us(const std::string& id) const {
  return now_us(id) + checksum(id, now_us_ / 300'000) % 1'000'000'000;
}

void RaftCluster::fire(const std::string& id) {
  const std::uint64_t due = at(id).wake_at_us();
  if (due == std::numeric_limits<std::uint64_t>::max()) return;
  if (due > now_us(id)) seat(id).ahead_us += due - now_us(id);
  step(id, raft::Tick{});
}

void RaftCluster::run(std::uint64_t us) {
  for (const std::uint64_t end = now_us_ + us; now_us_ < end;) {
    now_us_ += ms;
    deliver();
    for (const auto& [id, s] : seats_) {
      if (now_us_ / ms % 2 == 0) work_disk(id);
      if (s.raft && now_us(id) >= s.raft->wake_at_us()) step(id, raft::Tick{});
    }
  }
}

}  // namespace zatt::test
