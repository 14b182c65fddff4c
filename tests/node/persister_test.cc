// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/persister.h"

#include <doctest/doctest.h>

#include "codec/peer_frames.h"
#include "codec/peer_message.h"
#include "node/health.h"
#include "storage/segments.h"
#include "tests/node/parts.h"

namespace zatt::node {

using test::Parts;

TEST_CASE("persister: a write is durable, by raft's number, once its batch was synced") {
  Parts parts;
  parts.lead_alone();
  const raft::Output output =
      parts.step(raft::Propose{parts.raft->current_term(), {{EntryKind::command, "x"}}});
  REQUIRE(output.write != WriteNumber{});
  parts.persister->submit();
  REQUIRE(parts.env.batch.has_value());
  CHECK(parts.raft->commit_index() < output.proposed);
  const Persister::Done done = parts.run_disk();
  CHECK(!done.error);
  parts.settle();
  CHECK(parts.raft->commit_index() == output.proposed);
  CHECK(parts.persister->pending_bytes() == 0);
}

TEST_CASE("persister: the disk has one batch at a time") {
  Parts parts;
  parts.lead_alone();
  parts.step(raft::Propose{parts.raft->current_term(), {{EntryKind::command, "x"}}});
  parts.persister->submit();
  REQUIRE(parts.env.batch.has_value());
  const storage::Batch batch = *std::exchange(parts.env.batch, std::nullopt);
  parts.step(raft::Propose{parts.raft->current_term(), {{EntryKind::command, "y"}}});
  parts.persister->submit();
  CHECK(!parts.env.batch.has_value());
  CHECK(parts.persister->wake_at_us() == never_us);
  parts.persister->on_disk(storage::run(parts.disk, batch));
  parts.persister->submit();
  CHECK(parts.env.batch.has_value());
}

TEST_CASE("persister: an offer counts as durable only once it is") {
  Parts parts;
  CHECK(parts.persister->is_bootstrap_durable());
  parts.persister->save_bootstrap(parts.raft->take_write_number(), ClusterId{77}, {});
  CHECK(!parts.persister->is_bootstrap_durable());
  CHECK(parts.persister->hard_state().cluster == ClusterId{77});
  CHECK(parts.run_disk().bootstrap_durable);
  CHECK(parts.persister->is_bootstrap_durable());
  CHECK(!parts.run_disk().bootstrap_durable);
}

TEST_CASE("persister: a batch that takes a second makes the disk slow, for a while") {
  Parts parts;
  parts.lead_alone();
  parts.step(raft::Propose{parts.raft->current_term(), {{EntryKind::command, "x"}}});
  parts.persister->submit();
  CHECK(!parts.persister->is_slow());
  CHECK(parts.persister->look_at_us(false) == parts.env.now + Health::slow_disk_us);
  parts.env.now += Health::slow_disk_us;
  CHECK(parts.persister->is_slow());
  CHECK(parts.persister->busy_us() == Health::slow_disk_us);
  CHECK(parts.run_disk().was_slow);
  CHECK(parts.persister->busy_us() == 0);
  CHECK(parts.persister->is_slow());
  const std::uint64_t well_us = parts.persister->look_at_us(true);
  CHECK(well_us == parts.env.now + Health::disk_quiet_us);
  parts.env.now = well_us;
  CHECK(!parts.persister->is_slow());
}

TEST_CASE("persister: each sync of a long batch is a sign of life, and no read is") {
  Parts parts;
  parts.lead_alone();
  parts.env.syncs = 7;
  CHECK(!parts.persister->shows_progress());  // nothing is asked of the disk
  parts.step(raft::Propose{parts.raft->current_term(), {{EntryKind::command, "x"}}});
  parts.persister->submit();
  CHECK(!parts.persister->shows_progress());  // those were of batches before
  parts.persister->read(Index{1}, 1000);
  parts.persister->submit();
  REQUIRE(parts.env.reads.size() == 1);
  CHECK(parts.persister->on_read(storage::run(parts.disk, parts.env.reads.front())).reads.size() ==
        1);
  parts.env.reads.clear();
  CHECK(!parts.persister->shows_progress());
  ++parts.env.syncs;
  const auto alive = parts.persister->shows_progress();
  REQUIRE(alive);
  parts.step(raft::Persisted{*alive});  // of which nothing is durable that was not
  CHECK(parts.raft->commit_index() < parts.raft->log().last_index());
  CHECK(!parts.persister->shows_progress());
}

TEST_CASE("persister: what another asked to read is no fetch of the core's") {
  Parts parts;
  parts.lead_alone();
  const std::uint64_t number = parts.persister->read(Index{1}, 1000);
  const Persister::Done done = parts.run_disk();
  REQUIRE(done.reads.size() == 1);
  CHECK(done.reads[0].number == number);
  CHECK(!parts.persister->fetched(done.reads[0]));
}

TEST_CASE("persister: a fetch is answered with what the log still holds of it") {
  Parts parts;
  parts.lead_alone();
  raft::Output output;
  output.fetches.push_back({9, Index{1}, Index{1}, 1 << 20});
  parts.persister->take(output);
  const Persister::Done done = parts.run_disk();
  REQUIRE(done.reads.size() == 1);
  const auto fetched = parts.persister->fetched(done.reads[0]);
  REQUIRE(fetched);
  CHECK(fetched->number == 9);
  REQUIRE(fetched->entries.size() == 1);  // not what follows the last that was asked for
  CHECK(fetched->entries[0].index == Index{1});
  CHECK(!parts.persister->fetched(done.reads[0]));  // answered once
}

TEST_CASE("persister: what is fetched fits a message, whatever the largest entry follows") {
  // As large as an entry can be before one that begins no stretch of its own in the log's index.
  const std::size_t before = storage::position_every_bytes - storage::record_header_size - 1;
  Parts parts(4 << 20, 64 << 20);
  parts.lead_alone();
  parts.step(raft::Propose{parts.raft->current_term(),
                           {{EntryKind::command, std::string(storage::position_every_bytes, '0')},
                            {EntryKind::command, std::string(before, 'a')},
                            {EntryKind::command, std::string(max_body_bytes, 'b')},
                            {EntryKind::command, "c"}}});
  parts.settle();
  Index next = parts.raft->log().last_index() - 2;
  for (const std::size_t body : {before, std::size_t{max_body_bytes}, std::size_t{1}}) {
    raft::Output output;
    output.fetches.push_back(
        {raw(next), next, parts.raft->log().last_index(), parts.options.max_append_bytes});
    parts.persister->take(output);
    const Persister::Done done = parts.run_disk();
    REQUIRE(done.reads.size() == 1);
    const auto fetched = parts.persister->fetched(done.reads[0]);
    REQUIRE(fetched);
    REQUIRE(!fetched->entries.empty());
    CHECK(fetched->entries[0].index == next);
    CHECK(fetched->entries[0].body.size() == body);
    std::string message;
    codec::encode(raft::AppendEntries{Term{1}, next - 1, Term{1}, next, fetched->entries}, message);
    CHECK(message.size() <= codec::max_message_bytes);
    ++next;
  }
}

}  // namespace zatt::node
