// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/persister.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "node/health.h"

namespace zatt::node {

Persister::Persister(const Options& options, Env& env, const raft::Raft& raft,
                     std::unique_ptr<storage::Storage> storage)
    : options_(options),
      env_(env),
      raft_(raft),
      storage_(std::move(storage)),
      hard_state_(storage_->hard_state()) {}

void Persister::take(const raft::Output& output) {
  if (output.write != WriteNumber{}) {
    storage::Write write{
        .number = output.write, .truncate = output.truncate, .append = output.append};
    if (output.hard_state) {
      hard_state_.raft_state = *output.hard_state;
      write.hard_state = hard_state_;
    }
    storage_->write(write);
  }
  for (const raft::Fetch& fetch : output.fetches)
    fetches_.emplace(storage_->read(fetch.first, fetch.max_bytes, fetch.last), fetch);
}

void Persister::save_bootstrap(WriteNumber number, ClusterId cluster,
                               std::vector<raft::Offer> offers) {
  hard_state_.cluster = cluster;
  hard_state_.offers = std::move(offers);
  bootstrap_write_ = number;
  storage_->write({.number = number, .hard_state = hard_state_});
}

void Persister::submit() {
  if (disk_busy_ && storage_->read_wake_at_us() == never_us) return;
  const std::uint64_t now_us = env_.now_us();
  while (auto batch = storage_->take_read(now_us)) env_.read(std::move(*batch));
  if (disk_busy_) return;
  auto batch = storage_->take_batch(now_us);
  if (!batch) return;
  disk_busy_ = true;
  disk_busy_since_us_ = now_us;
  seen_syncs_ = env_.finished_syncs();
  env_.submit(std::move(*batch));
}

Persister::Done Persister::on_disk(storage::BatchResult result) {
  Done done;
  done.was_slow = busy_us() >= Health::slow_disk_us;
  if (done.was_slow) slow_until_us_ = env_.now_us() + Health::disk_quiet_us;
  disk_busy_ = false;
  storage::Storage::Done kept = storage_->on_done(std::move(result), env_.now_us());
  if (!kept.status) {
    done.error = kept.status.error();
    return done;
  }
  if (kept.durable > durable_write_ || kept.synced) done.persisted = kept.durable;
  durable_write_ = kept.durable;
  done.room_changed = storage_->room() != room_;
  room_ = storage_->room();
  done.bootstrap_durable = bootstrap_write_ != WriteNumber{} && bootstrap_write_ <= durable_write_;
  if (done.bootstrap_durable) bootstrap_write_ = {};
  return done;
}

Persister::Done Persister::on_read(storage::BatchResult result) {
  Done done;
  storage::Storage::Done kept = storage_->on_read(std::move(result), env_.now_us());
  if (!kept.status) done.error = kept.status.error();
  done.reads = std::move(kept.reads);
  return done;
}

std::optional<raft::Fetched> Persister::fetched(const storage::Storage::ReadDone& read) {
  const auto it = fetches_.find(read.number);
  if (it == fetches_.end()) return std::nullopt;
  const raft::Fetch fetch = it->second;
  if (read.is_last) fetches_.erase(it);
  raft::Fetched answer{fetch.number, {}, read.is_last};
  for (const Entry& entry : read.entries)
    if (entry.index <= fetch.last && raft_.log().holds(entry.index, entry.term))
      answer.entries.push_back(entry.view());
  return answer;
}

std::optional<WriteNumber> Persister::shows_progress() {
  if (!disk_busy_) return std::nullopt;
  const std::uint64_t syncs = env_.finished_syncs();
  if (std::exchange(seen_syncs_, syncs) == syncs) return std::nullopt;
  return durable_write_;
}

std::string Persister::no_room() const {
  const auto& error = storage_->no_room();
  if (!error || error->sys == ENOSPC) return options_.storage + ": the disk is full";
  return "no room: " + to_string(*error);
}

bool Persister::has_space_for(const raft::AppendEntries& append) const {
  if (append.entries.empty()) return true;
  if (has_too_much_to_sync()) return false;
  if (storage_->room() != DiskSpace::full) return true;
  std::uint64_t bytes = 0;
  for (const EntryView& entry : append.entries) bytes += raft::cost(entry.body.size());
  return storage_->has_space_for(bytes);
}

bool Persister::is_slow() const {
  return env_.now_us() < slow_until_us_ || busy_us() >= Health::slow_disk_us;
}

std::uint64_t Persister::look_at_us(bool said_slow) const {
  const std::uint64_t too_long_us =
      disk_busy_ ? disk_busy_since_us_ + Health::slow_disk_us : never_us;
  if (!said_slow) return too_long_us;
  return env_.now_us() < too_long_us ? slow_until_us_ : never_us;
}

std::uint64_t Persister::wake_at_us() const {
  return std::min(disk_busy_ ? never_us : storage_->wake_at_us(), storage_->read_wake_at_us());
}

}  // namespace zatt::node
