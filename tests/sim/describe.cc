// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/describe.h"

#include "codec/peer_frames.h"
#include "codec/peer_message.h"

namespace zatt::sim {
namespace {

std::string n(std::uint64_t value) { return std::to_string(value); }
std::string n(Index index) { return n(raw(index)); }
std::string n(Term term) { return n(raw(term)); }

struct Describe {
  std::string operator()(const raft::RequestVote& m) const {
    return (m.pre_vote ? "PreVote term=" : "RequestVote term=") + n(m.term) +
           " last=" + n(m.last_log_index) + "/" + n(m.last_log_term);
  }
  std::string operator()(const raft::VoteReply& m) const {
    return std::string(m.pre_vote ? "PreVoteReply" : "VoteReply") + " term=" + n(m.term) +
           (m.granted ? " granted" : " refused");
  }
  std::string operator()(const raft::AppendEntries& m) const {
    return "AppendEntries term=" + n(m.term) + " prev=" + n(m.prev_log_index) + "/" +
           n(m.prev_log_term) + " entries=" + n(m.entries.size()) + " commit=" + n(m.leader_commit);
  }
  std::string operator()(const raft::AppendReply& m) const {
    return "AppendReply term=" + n(m.term) +
           (m.success
                ? " match=" + n(m.match_index) + " received=" + n(m.received_index)
                : " rejected=" + n(m.rejected) + " hint=" + n(m.hint_index) + "/" + n(m.hint_term));
  }
  std::string operator()(const raft::Heartbeat& m) const {
    return "Heartbeat term=" + n(m.term) + " commit=" + n(m.leader_commit) + " round=" + n(m.round);
  }
  std::string operator()(const raft::HeartbeatReply& m) const {
    return "HeartbeatReply term=" + n(m.term) + " round=" + n(m.round) +
           " match=" + n(m.match_index) + " received=" + n(m.received_index);
  }
  std::string operator()(const raft::TimeoutNow& m) const { return "TimeoutNow term=" + n(m.term); }

  std::string operator()(const codec::Hello& m) const {
    return "Hello from " + m.server.id + " cluster=" + n(raw(m.bootstrap_state.cluster) % 10'000) +
           (m.bootstrap_state.acted ? " acted" : "");
  }
  std::string operator()(const codec::Refused& m) const { return "Refused: " + m.text; }
  std::string operator()(const codec::BootstrapState& m) const {
    return "Standing cluster=" + n(raw(m.cluster) % 10'000) + (m.acted ? " acted" : "") +
           (m.asks ? " asks" : "");
  }
  std::string operator()(const raft::Message& m) const { return std::visit(*this, m); }
  std::string operator()(const codec::Forward& m) const {
    return "Forward number=" + n(m.number) + " term=" + n(m.term);
  }
  std::string operator()(const codec::ForwardReply& m) const {
    return "ForwardReply number=" + n(m.number) + " what=" + n(static_cast<unsigned>(m.what));
  }
  std::string operator()(const codec::ReadIndex& m) const {
    return "ReadIndex number=" + n(m.number) + " term=" + n(m.term) +
           (m.to_log_end ? " to_log_end" : "");
  }
  std::string operator()(const codec::ReadIndexReply& m) const {
    return "ReadIndexReply number=" + n(m.number) +
           (m.confirmed ? " index=" + n(m.index) + " commit=" + n(m.commit) : " not confirmed");
  }
};

}  // namespace

std::string describe(const raft::Message& message) { return std::visit(Describe{}, message); }

std::string describe_frame(std::string_view bytes) {
  const auto frame = codec::decode_frame(bytes);
  if (!frame) return "no frame";
  if (frame->piece != 0 || !frame->last) return "piece " + n(frame->piece) + " of a message";
  const auto message = codec::decode_peer_message(frame->payload);
  return message ? std::visit(Describe{}, *message) : "no message";
}

}  // namespace zatt::sim
