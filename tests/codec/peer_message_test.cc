// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/peer_message.h"

#include <doctest/doctest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "base/text.h"

namespace zatt::codec {
namespace {

raft::Configuration configuration(std::uint64_t incarnation = 7) {
  raft::Configuration c;
  c.members.push_back({{"0", incarnation}, {"h", 258}, true, false, false});
  return c;
}

std::string body_of(const raft::Configuration& c) {
  std::string body;
  raft::encode(c, body);
  return body;
}

BootstrapState bootstrap_state() {
  BootstrapState s;
  s.cluster = ClusterId{5};
  s.acted = true;
  s.asks = true;
  s.offers.push_back({1, ClusterId{5}, configuration()});
  return s;
}

Hello hello() {
  Hello h;
  h.lowest_version = 1;
  h.highest_version = 3;
  h.server = {"1", 9};
  h.to = "0";
  h.address = {"n", 5255};
  h.ids = {"0", "1"};
  h.bootstrap_state = bootstrap_state();
  h.authentication = 4;
  h.proof = "p";
  return h;
}

raft::AppendEntries append(std::vector<EntryView> entries) {
  return {Term{9}, Index{4}, Term{2}, Index{3}, std::move(entries)};
}

std::string configuration_body() {
  static const std::string body = body_of(configuration());
  return body;
}

struct Sample {
  const char* name;
  std::string bytes;
  const char* expected;  // hexadecimal; spaces are left out
};

template <class M>
std::string encoded(const M& message) {
  std::string bytes;
  encode(message, bytes);
  return bytes;
}

template <class M>
std::string raft_encoded(M message) {
  return encoded(raft::Message{std::move(message)});
}

// The bootstrap state of a hello, and of a message of its own.
const std::string state_hex =
    "0500000000000000 01 01 01000000"  // cluster, acted, asks, one offer:
    "0100000000000000 0500000000000000 1d000000"
    "01000000 01000000 30 0700000000000000 01000000 68 0201 01 00000000";
const std::string hello_hex =
    "01 0100 0300 01000000 31 0900000000000000"  // versions, server
    "01000000 30 01000000 6e 8714"               // to, address
    "02000000 01000000 30 01000000 31" +         // ids
    state_hex +
    "04 01000000 70";
const std::string state_message_hex = "03" + state_hex;

std::vector<Sample> samples() {
  const std::string body = configuration_body();
  return {
      {"hello", encoded(hello()), hello_hex.c_str()},
      {"refused", encoded(Refused{Refused::Why::cluster, "no"}), "02 03 02000000 6e6f"},
      {"standing", encoded(bootstrap_state()), state_message_hex.c_str()},
      {"request_vote", raft_encoded(raft::RequestVote{Term{1}, Index{2}, Term{3}, true}),
       "0a 0100000000000000 0200000000000000 0300000000000000 01"},
      {"vote_reply", raft_encoded(raft::VoteReply{Term{1}, true, false}),
       "0b 0100000000000000 01 00"},
      {"append_entries",
       raft_encoded(append({{Index{5}, Term{2}, 7, EntryKind::noop, ""},
                            {Index{6}, Term{9}, 258, EntryKind::command, "c"}})),
       "0c 0900000000000000 0400000000000000 0200000000000000 0300000000000000 02000000"
       "0200000000000000 0700000000000000 01 00000000"
       "0900000000000000 0201000000000000 03 01000000 63"},
      {"append_entries with a configuration",
       raft_encoded(append({{Index{5}, Term{3}, 0, EntryKind::configuration, body}})),
       "0c 0900000000000000 0400000000000000 0200000000000000 0300000000000000 01000000"
       "0300000000000000 0000000000000000 02 1d000000"
       "01000000 01000000 30 0700000000000000 01000000 68 0201 01 00000000"},
      {"append_reply",
       raft_encoded(raft::AppendReply{Term{1}, true, Index{2}, Index{3}, Index{4}, Index{5},
                                      Term{6}, DiskSpace::full, 258}),
       "0d 0100000000000000 01 0200000000000000 0300000000000000 0400000000000000"
       "0500000000000000 0600000000000000 02 0201000000000000"},
      {"heartbeat", raft_encoded(raft::Heartbeat{Term{1}, Index{2}, 3, Index{4}}),
       "0e 0100000000000000 0200000000000000 0300000000000000 0400000000000000"},
      {"heartbeat_reply",
       raft_encoded(raft::HeartbeatReply{Term{1}, 2, Index{3}, Index{4}, DiskSpace::low, 258}),
       "0f 0100000000000000 0200000000000000 0300000000000000 0400000000000000 01"
       "0201000000000000"},
      {"timeout_now", raft_encoded(raft::TimeoutNow{Term{258}}), "10 0201000000000000"},
      {"forward", encoded(Forward{1, Term{2}, true, "cmd", true}),
       "14 0100000000000000 0200000000000000 01 03000000 636d64 01"},
      {"forward_reply", encoded(ForwardReply{1, ForwardReply::What::applied, "r", Index{2}, 3, 4}),
       "15 0100000000000000 06 01000000 72 0200000000000000 03000000 0400000000000000"},
      {"read_index", encoded(ReadIndex{1, Term{2}, true}),
       "16 0100000000000000 0200000000000000 01"},
      {"read_index_reply", encoded(ReadIndexReply{1, true, Term{2}, Index{3}, Index{4}}),
       "17 0100000000000000 01 0200000000000000 0300000000000000 0400000000000000"},
  };
}

std::string encode_any(const PeerMessage& message) {
  std::string bytes;
  std::visit([&](const auto& m) { encode(m, bytes); }, message);
  return bytes;
}

// An append_entries message with whatever in it.
struct RawEntry {
  std::uint64_t term = 2;
  std::uint8_t kind = 3;
  std::string body = "c";
  std::uint64_t time_us = 7;
};
std::string raw_append(std::uint64_t term, const std::vector<RawEntry>& entries,
                       std::optional<std::uint32_t> count = std::nullopt) {
  std::string bytes;
  Writer writer(bytes);
  writer.u8(12);
  writer.u64(term);
  writer.u64(4);
  writer.u64(2);
  writer.u64(3);
  writer.u32(count.value_or(static_cast<std::uint32_t>(entries.size())));
  for (const RawEntry& entry : entries) {
    writer.u64(entry.term);
    writer.u64(entry.time_us);
    writer.u8(entry.kind);
    writer.bytes(entry.body);
  }
  return bytes;
}

bool is_taken(std::string_view bytes) { return decode_peer_message(bytes).has_value(); }

}  // namespace

TEST_CASE("peer message: the literal bytes of every kind") {
  for (const Sample& sample : samples()) {
    CAPTURE(sample.name);
    std::string expected(sample.expected);
    std::erase(expected, ' ');
    CHECK(hex(sample.bytes) == expected);
  }
}

TEST_CASE("peer message: every kind comes back as it was said") {
  for (const Sample& sample : samples()) {
    CAPTURE(sample.name);
    const auto message = decode_peer_message(sample.bytes);
    REQUIRE(message.has_value());
    CHECK(encode_any(*message) == sample.bytes);
  }
  const std::string hello_bytes = encoded(hello());
  const auto message = decode_peer_message(hello_bytes);
  const auto& h = std::get<Hello>(*message);
  CHECK(h.lowest_version == 1);
  CHECK(h.highest_version == 3);
  CHECK(h.server == MemberId{"1", 9});
  CHECK(h.to == "0");
  CHECK(h.address == Address{"n", 5255});
  CHECK(h.ids == std::vector<std::string>{"0", "1"});
  CHECK(h.bootstrap_state == bootstrap_state());
  CHECK(h.authentication == 4);
  CHECK(h.proof == "p");
}

TEST_CASE("peer message: entries get their indexes, contiguous behind prev_log_index") {
  const std::string bytes =
      raw_append(9, {{2, 1, ""}, {2, 3, "a"}, {7, 2, configuration_body()}, {9, 3, "b"}});
  const auto message = decode_peer_message(bytes);
  REQUIRE(message.has_value());
  const auto& m = std::get<raft::AppendEntries>(std::get<raft::Message>(*message));
  REQUIRE(m.entries.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(raw(m.entries[i].index) == 5 + i);
  CHECK(m.entries[3].term == Term{9});
  CHECK(m.entries[3].body == "b");
  CHECK(m.entries[3].time_us == 7);
}

TEST_CASE("peer message: every truncation and addition is refused") {
  for (const Sample& sample : samples()) {
    CAPTURE(sample.name);
    for (std::size_t size = 0; size < sample.bytes.size(); ++size)
      CHECK_FALSE(is_taken(std::string_view(sample.bytes).substr(0, size)));
    CHECK_FALSE(is_taken(sample.bytes + '\0'));
    CHECK_FALSE(is_taken(sample.bytes + sample.bytes));
  }
}

TEST_CASE("peer message: a flipped bit is refused, or is another whole message") {
  for (const Sample& sample : samples()) {
    for (std::size_t bit = 0; bit < 8 * sample.bytes.size(); ++bit) {
      std::string bytes = sample.bytes;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      CAPTURE(sample.name);
      CAPTURE(bit);
      const auto message = decode_peer_message(bytes);
      if (!message) continue;
      const auto* refused = std::get_if<Refused>(&*message);
      // The one thing that is not kept to the letter: reasons that later versions may have.
      if (refused != nullptr && refused->why == Refused::Why::other) continue;
      CHECK(encode_any(*message) == bytes);
    }
  }
}

TEST_CASE("peer message: unknown kinds are refused") {
  const std::set<int> known{1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23};
  for (int kind = 0; kind < 256; ++kind) {
    bool any = false;
    for (const Sample& sample : samples()) {
      std::string bytes = sample.bytes;
      bytes[0] = static_cast<char>(kind);
      any = any || is_taken(bytes);
    }
    CAPTURE(kind);
    CHECK(any == known.contains(kind));
  }
}

TEST_CASE("peer message: entries that no log can hold are refused") {
  CHECK(is_taken(raw_append(9, {{2, 3, "c"}})));
  CHECK(is_taken(raw_append(9, {{9, 3, "c"}})));
  CHECK_FALSE(is_taken(raw_append(9, {{1, 3, "c"}})));               // below prev_log_term
  CHECK_FALSE(is_taken(raw_append(9, {{10, 3, "c"}})));              // above the leader's
  CHECK_FALSE(is_taken(raw_append(9, {{5, 3, "c"}, {4, 3, "c"}})));  // sinks
  CHECK(is_taken(raw_append(9, {{2, 3, "c", 8}, {3, 3, "c", 8}})));
  CHECK_FALSE(is_taken(raw_append(9, {{2, 3, "c", 8}, {3, 3, "c", 7}})));  // time goes back
  CHECK_FALSE(is_taken(raw_append(9, {{2, 0, "c"}})));                     // unknown kinds
  CHECK_FALSE(is_taken(raw_append(9, {{2, 4, "c"}})));
  CHECK_FALSE(is_taken(raw_append(9, {{2, 255, "c"}})));
  CHECK_FALSE(is_taken(raw_append(9, {{2, 3, "c"}}, 2)));               // more promised
  CHECK_FALSE(is_taken(raw_append(9, {{2, 3, "c"}, {2, 3, "c"}}, 1)));  // less
}

TEST_CASE("peer message: broken configurations are refused, in entries and in offers") {
  const std::string good = configuration_body();
  std::vector<std::string> broken{"", good + '\0', good.substr(0, good.size() - 1)};
  std::string no_role = good;
  no_role[no_role.size() - 5] = '\0';
  broken.push_back(no_role);
  raft::Configuration twice = configuration();
  twice.members.push_back(twice.members[0]);
  broken.push_back(body_of(twice));
  raft::Configuration bad_id = configuration();
  bad_id.members[0].server.id = "a b";
  broken.push_back(body_of(bad_id));
  CHECK(is_taken(raw_append(9, {{2, 2, good}})));
  for (const std::string& body : broken) {
    CAPTURE(hex(body));
    CHECK_FALSE(is_taken(raw_append(9, {{2, 2, body}})));
    std::string offer;
    Writer writer(offer);
    writer.u8(3);
    writer.u64(5);
    writer.u8(0);
    writer.u8(0);
    writer.u32(1);
    writer.u64(1);
    writer.u64(5);
    writer.bytes(body);
    CHECK_FALSE(is_taken(offer));
  }
}

TEST_CASE("peer message: huge lengths are refused before anything is made of them") {
  for (const std::uint32_t length : {0x7fffffffU, 0xffffffffU, 0x01000000U, 0x00ffffffU}) {
    CAPTURE(length);
    CHECK_FALSE(is_taken(raw_append(9, {}, length)));
    // A list, or a text, wherever one begins: each sample with each u32 in it replaced.
    for (const Sample& sample : samples()) {
      for (std::size_t at = 1; at + 4 <= sample.bytes.size(); ++at) {
        std::string bytes = sample.bytes;
        store_le(bytes.data() + at, length);
        const auto message = decode_peer_message(bytes);
        if (!message) continue;
        const auto* refused = std::get_if<Refused>(&*message);
        if (refused == nullptr) CHECK(encode_any(*message) == bytes);
      }
    }
  }
}

TEST_CASE("peer message: texts over their limits are refused") {
  Hello h = hello();
  h.server.id = std::string(64, 'a');
  CHECK(is_taken(encoded(h)));
  h.server.id += 'a';
  CHECK_FALSE(is_taken(encoded(h)));
  h = hello();
  h.to = std::string(65, 'a');
  CHECK_FALSE(is_taken(encoded(h)));
  h = hello();
  h.address.host = std::string(256, 'a');
  CHECK_FALSE(is_taken(encoded(h)));
  h = hello();
  h.ids.assign(64, "x");
  CHECK(is_taken(encoded(h)));
  h.ids.assign(65, "x");
  CHECK_FALSE(is_taken(encoded(h)));
  h = hello();
  h.proof = std::string(4097, 'a');
  CHECK_FALSE(is_taken(encoded(h)));
  h = hello();
  h.bootstrap_state.offers.assign(1024, {1, ClusterId{5}, configuration()});
  CHECK(is_taken(encoded(h)));
  h.bootstrap_state.offers.assign(1025, {1, ClusterId{5}, configuration()});
  CHECK_FALSE(is_taken(encoded(h)));
  CHECK(is_taken(encoded(Refused{Refused::Why::other, std::string(4096, 'a')})));
  CHECK_FALSE(is_taken(encoded(Refused{Refused::Why::other, std::string(4097, 'a')})));
}

TEST_CASE("peer message: mutated bytes never do harm") {
  Prng prng(11);
  const std::vector<Sample> all = samples();
  for (int i = 0; i < 100'000; ++i) {
    std::string bytes = all[prng.below(all.size())].bytes;
    for (std::uint64_t n = 1 + prng.below(4); n > 0; --n) {
      const std::size_t at = prng.below(bytes.size() + 1);
      const std::uint64_t what = prng.below(4);
      const char byte = static_cast<char>(prng.next() & 0xff);
      if (what == 0) bytes.insert(at, 1, byte);
      if (at == bytes.size() || bytes.empty()) continue;
      if (what == 1) bytes.erase(at, 1 + prng.below(4));
      if (what == 2) bytes[at] = byte;
      if (what == 3) bytes.insert(at, bytes.substr(prng.below(bytes.size()), prng.below(20)));
    }
    const auto message = decode_peer_message(bytes);
    if (!message || std::holds_alternative<Refused>(*message)) continue;
    CHECK(encode_any(*message) == bytes);
  }
}

}  // namespace zatt::codec
