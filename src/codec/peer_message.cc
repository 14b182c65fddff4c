// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/peer_message.h"

#include <utility>

#include "base/bytes.h"

namespace zatt::codec {
namespace {

enum class Kind : std::uint8_t {
  hello = 1,
  refused = 2,
  bootstrap_state = 3,
  request_vote = 10,
  vote_reply = 11,
  append_entries = 12,
  append_reply = 13,
  heartbeat = 14,
  heartbeat_reply = 15,
  timeout_now = 16,
  forward = 20,
  forward_reply = 21,
  read_index = 22,
  read_index_reply = 23,
};

constexpr std::uint32_t max_ids = 64;
constexpr std::uint32_t max_offers = 1024;

class Out {
 public:
  Out(std::string& out, Kind kind) : writer_(out) { writer_.u8(static_cast<std::uint8_t>(kind)); }

  Out& operator<<(bool flag) { return writer_.u8(flag ? 1 : 0), *this; }
  Out& operator<<(DiskSpace room) { return writer_.u8(static_cast<std::uint8_t>(room)), *this; }
  Out& operator<<(std::uint8_t n) { return writer_.u8(n), *this; }
  Out& operator<<(std::uint16_t n) { return writer_.u16(n), *this; }
  Out& operator<<(std::uint32_t n) { return writer_.u32(n), *this; }
  Out& operator<<(std::uint64_t n) { return writer_.u64(n), *this; }
  Out& operator<<(Index index) { return writer_.u64(raw(index)), *this; }
  Out& operator<<(Term term) { return writer_.u64(raw(term)), *this; }
  Out& operator<<(std::string_view bytes) { return writer_.bytes(bytes), *this; }
  Out& operator<<(const MemberId& server) { return *this << server.id << server.incarnation; }
  Out& operator<<(const BootstrapState& bootstrap_state) {
    *this << raw(bootstrap_state.cluster) << bootstrap_state.acted << bootstrap_state.asks
          << static_cast<std::uint32_t>(bootstrap_state.offers.size());
    for (const raft::Offer& offer : bootstrap_state.offers) {
      std::string configuration;
      raft::encode(offer.configuration, configuration);
      *this << offer.number << raw(offer.cluster) << configuration;
    }
    return *this;
  }

 private:
  Writer writer_;
};

class In {
 public:
  explicit In(std::string_view in) : reader_(in) {}

  bool flag() {
    const std::uint8_t n = reader_.u8();
    if (n > 1) reader_.fail();
    return n == 1;
  }
  DiskSpace room() {
    const std::uint8_t n = reader_.u8();
    if (n > static_cast<std::uint8_t>(DiskSpace::full)) reader_.fail();
    return DiskSpace{n};
  }
  std::uint8_t u8() { return reader_.u8(); }
  std::uint16_t u16() { return reader_.u16(); }
  std::uint32_t u32() { return reader_.u32(); }
  std::uint64_t u64() { return reader_.u64(); }
  Index index() { return Index{reader_.u64()}; }
  Term term() { return Term{reader_.u64()}; }
  std::string_view bytes() { return reader_.bytes(); }
  std::string_view bytes(std::size_t max) {
    const std::string_view bytes = reader_.bytes();
    if (bytes.size() > max) reader_.fail();
    return bytes;
  }
  std::string text(std::size_t max) { return std::string(bytes(max)); }
  // The length of a list whose elements take at least `least` bytes each.
  std::uint32_t length(std::uint32_t max, std::size_t least) {
    const std::uint32_t n = reader_.u32();
    if (n > max || n > reader_.left() / least) reader_.fail();
    return reader_.ok() ? n : 0;
  }
  MemberId server() {
    MemberId server;
    server.id = text(64);
    server.incarnation = u64();
    return server;
  }
  BootstrapState bootstrap_state() {
    BootstrapState bootstrap_state;
    bootstrap_state.cluster = ClusterId{u64()};
    bootstrap_state.acted = flag();
    bootstrap_state.asks = flag();
    const std::uint32_t n = length(max_offers, 8 + 8 + 4);
    for (std::uint32_t i = 0; i < n && ok(); ++i) {
      raft::Offer offer;
      offer.number = u64();
      offer.cluster = ClusterId{u64()};
      auto configuration = raft::decode_configuration(bytes());
      if (!configuration) return fail(), bootstrap_state;
      offer.configuration = std::move(*configuration);
      bootstrap_state.offers.push_back(std::move(offer));
    }
    return bootstrap_state;
  }
  void fail() { reader_.fail(); }
  bool ok() const { return reader_.ok(); }
  bool done() const { return reader_.done(); }

 private:
  Reader reader_;
};

constexpr std::size_t least_entry_bytes = 8 + 8 + 1 + 4;

struct RaftEncoder {
  std::string& out;

  void operator()(const raft::RequestVote& m) const {
    Out(out, Kind::request_vote) << m.term << m.last_log_index << m.last_log_term << m.pre_vote;
  }
  void operator()(const raft::VoteReply& m) const {
    Out(out, Kind::vote_reply) << m.term << m.granted << m.pre_vote;
  }
  void operator()(const raft::AppendEntries& m) const {
    Out o(out, Kind::append_entries);
    o << m.term << m.prev_log_index << m.prev_log_term << m.leader_commit
      << static_cast<std::uint32_t>(m.entries.size());
    for (const EntryView& entry : m.entries)
      o << entry.term << entry.time_us << static_cast<std::uint8_t>(entry.kind) << entry.body;
  }
  void operator()(const raft::AppendReply& m) const {
    Out(out, Kind::append_reply) << m.term << m.success << m.match_index << m.received_index
                                 << m.rejected << m.hint_index << m.hint_term << m.room
                                 << m.takes;
  }
  void operator()(const raft::Heartbeat& m) const {
    Out(out, Kind::heartbeat) << m.term << m.leader_commit << m.round << m.last_index;
  }
  void operator()(const raft::HeartbeatReply& m) const {
    Out(out, Kind::heartbeat_reply)
        << m.term << m.round << m.match_index << m.received_index << m.room << m.takes;
  }
  void operator()(const raft::TimeoutNow& m) const { Out(out, Kind::timeout_now) << m.term; }
};

Hello decode_hello(In& in) {
  Hello hello;
  hello.lowest_version = in.u16();
  hello.highest_version = in.u16();
  hello.server = in.server();
  hello.to = in.text(64);
  hello.address.host = in.text(255);
  hello.address.port = in.u16();
  const std::uint32_t n = in.length(max_ids, 4);
  for (std::uint32_t i = 0; i < n; ++i) hello.ids.push_back(in.text(64));
  hello.bootstrap_state = in.bootstrap_state();
  hello.authentication = in.u8();
  hello.proof = in.text(4096);
  return hello;
}

bool is_known(EntryKind kind) {
  return kind == EntryKind::noop || kind == EntryKind::configuration || kind == EntryKind::command;
}

raft::Message decode_append_entries(In& in) {
  raft::AppendEntries m;
  m.term = in.term();
  m.prev_log_index = in.index();
  m.prev_log_term = in.term();
  m.leader_commit = in.index();
  const std::uint32_t n = in.length(1U << 24, least_entry_bytes);
  m.entries.reserve(n);
  Index index = m.prev_log_index;
  Term term = m.prev_log_term;
  std::uint64_t time_us = 0;
  for (std::uint32_t i = 0; i < n && in.ok(); ++i) {
    EntryView entry;
    entry.index = ++index;
    entry.term = in.term();
    entry.time_us = in.u64();
    entry.kind = static_cast<EntryKind>(in.u8());
    entry.body = in.bytes(max_body_bytes);
    const bool good = is_known(entry.kind) && entry.term >= term && entry.term <= m.term &&
                      entry.time_us >= time_us &&
                      (entry.kind != EntryKind::configuration ||
                       raft::decode_configuration(entry.body).has_value());
    if (!good) in.fail();
    term = entry.term;
    time_us = entry.time_us;
    m.entries.push_back(entry);
  }
  return m;
}

raft::Message decode_append_reply(In& in) {
  raft::AppendReply m;
  m.term = in.term();
  m.success = in.flag();
  m.match_index = in.index();
  m.received_index = in.index();
  m.rejected = in.index();
  m.hint_index = in.index();
  m.hint_term = in.term();
  m.room = in.room();
  m.takes = in.u64();
  return m;
}

raft::Message decode_heartbeat_reply(In& in) {
  raft::HeartbeatReply m;
  m.term = in.term();
  m.round = in.u64();
  m.match_index = in.index();
  m.received_index = in.index();
  m.room = in.room();
  m.takes = in.u64();
  return m;
}

raft::Message decode_request_vote(In& in) {
  raft::RequestVote m;
  m.term = in.term();
  m.last_log_index = in.index();
  m.last_log_term = in.term();
  m.pre_vote = in.flag();
  return m;
}

raft::Message decode_vote_reply(In& in) {
  raft::VoteReply m;
  m.term = in.term();
  m.granted = in.flag();
  m.pre_vote = in.flag();
  return m;
}

raft::Message decode_heartbeat(In& in) {
  raft::Heartbeat m;
  m.term = in.term();
  m.leader_commit = in.index();
  m.round = in.u64();
  m.last_index = in.index();
  return m;
}

Refused decode_refused(In& in) {
  Refused m;
  const std::uint8_t why = in.u8();
  m.why = why <= static_cast<std::uint8_t>(Refused::Why::twice) ? static_cast<Refused::Why>(why)
                                                                : Refused::Why::other;
  m.text = in.text(4096);
  return m;
}

Forward decode_forward(In& in) {
  Forward m;
  m.number = in.u64();
  m.term = in.term();
  m.grows = in.flag();
  m.command = in.bytes(max_body_bytes);
  m.any_result = in.flag();
  return m;
}

ForwardReply decode_forward_reply(In& in) {
  ForwardReply m;
  m.number = in.u64();
  const std::uint8_t what = in.u8();
  if (what > static_cast<std::uint8_t>(ForwardReply::What::applied)) in.fail();
  m.what = static_cast<ForwardReply::What>(what);
  m.result = in.bytes();
  m.index = in.index();
  m.count = in.u32();
  m.credit = in.u64();
  return m;
}

ReadIndex decode_read_index(In& in) {
  ReadIndex m;
  m.number = in.u64();
  m.term = in.term();
  m.to_log_end = in.flag();
  return m;
}

ReadIndexReply decode_read_index_reply(In& in) {
  ReadIndexReply m;
  m.number = in.u64();
  m.confirmed = in.flag();
  m.term = in.term();
  m.index = in.index();
  m.commit = in.index();
  return m;
}

std::optional<PeerMessage> decode_fields(Kind kind, In& in) {
  switch (kind) {
    case Kind::hello:
      return decode_hello(in);
    case Kind::refused:
      return decode_refused(in);
    case Kind::bootstrap_state:
      return in.bootstrap_state();
    case Kind::request_vote:
      return decode_request_vote(in);
    case Kind::vote_reply:
      return decode_vote_reply(in);
    case Kind::append_entries:
      return decode_append_entries(in);
    case Kind::append_reply:
      return decode_append_reply(in);
    case Kind::heartbeat:
      return decode_heartbeat(in);
    case Kind::heartbeat_reply:
      return decode_heartbeat_reply(in);
    case Kind::timeout_now:
      return raft::Message{raft::TimeoutNow{in.term()}};
    case Kind::forward:
      return decode_forward(in);
    case Kind::forward_reply:
      return decode_forward_reply(in);
    case Kind::read_index:
      return decode_read_index(in);
    case Kind::read_index_reply:
      return decode_read_index_reply(in);
  }
  return std::nullopt;
}

}  // namespace

void encode(const Hello& hello, std::string& out) {
  Out o(out, Kind::hello);
  o << hello.lowest_version << hello.highest_version << hello.server << hello.to
    << hello.address.host << hello.address.port << static_cast<std::uint32_t>(hello.ids.size());
  for (const std::string& id : hello.ids) o << id;
  o << hello.bootstrap_state << hello.authentication << hello.proof;
}

void encode(const Refused& refused, std::string& out) {
  Out(out, Kind::refused) << static_cast<std::uint8_t>(refused.why) << refused.text;
}

void encode(const BootstrapState& bootstrap_state, std::string& out) {
  Out(out, Kind::bootstrap_state) << bootstrap_state;
}

void encode(const raft::Message& message, std::string& out) {
  std::visit(RaftEncoder{out}, message);
}

void encode(const Forward& forward, std::string& out) {
  Out(out, Kind::forward) << forward.number << forward.term << forward.grows << forward.command
                          << forward.any_result;
}

void encode(const ForwardReply& reply, std::string& out) {
  Out(out, Kind::forward_reply) << reply.number << static_cast<std::uint8_t>(reply.what)
                                << reply.result << reply.index << reply.count << reply.credit;
}

void encode(const ReadIndex& request, std::string& out) {
  Out(out, Kind::read_index) << request.number << request.term << request.to_log_end;
}

void encode(const ReadIndexReply& reply, std::string& out) {
  Out(out, Kind::read_index_reply)
      << reply.number << reply.confirmed << reply.term << reply.index << reply.commit;
}

std::optional<PeerMessage> decode_peer_message(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const auto kind = static_cast<Kind>(static_cast<unsigned char>(bytes.front()));
  In in(bytes.substr(1));
  auto message = decode_fields(kind, in);
  if (!message || !in.done()) return std::nullopt;
  return message;
}

}  // namespace zatt::codec
