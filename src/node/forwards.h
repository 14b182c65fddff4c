// SPDX-License-Identifier: AGPL-3.0-or-later
// What this node has sent to leaders for its clients, and what becomes of it.
//
// Forwards run on credit: how many bytes may be undecided at a leader is that leader's word. The
// leader says under which index a forward was proposed before the entry itself can come, so that
// this node can tell the outcome by what it applies: the result need not travel, and an outcome is
// known though the connection is lost.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "base/types.h"
#include "codec/peer_message.h"
#include "node/admission.h"
#include "node/client_queues.h"
#include "node/options.h"
#include "node/peer_connections.h"
#include "node/persister.h"
#include "raft/input.h"

namespace zatt::node {

inline constexpr std::string_view no_room_text =
    "the disk has no room for this; reads go on. Make room on the disk: deleting keys makes none";

inline constexpr std::string_view replaced_text =
    "the leader changed before the write was stored; nothing was written";

class Forwards {
 public:
  // Until the first word of a leader: one large write.
  static constexpr std::uint64_t first_credit = 1 << 20;

  // All are borrowed for its life.
  Forwards(const Options& options, const Persister& persister, PeerConnections& connections,
           ClientQueues& clients)
      : options_(options), persister_(persister), connections_(connections), clients_(clients) {}

  // Whether one more may be sent now: there is credit, and what was sent before is on its way. One
  // is always let through, however large, so a bound is passed by one at most.
  bool may_send(LinkId link);
  // Whether what is sent now is likely to be decided by then, going by what others took.
  bool is_in_time(LinkId link, std::uint64_t deadline_us);
  // About how long so many bytes wait for credit; 0 where that is not known.
  std::uint64_t wait_us(LinkId link, std::uint64_t bytes) const;
  // Takes a client's write, which is writing from now on.
  void send(PendingRequest& pending, const Target& target);

  struct Answered {
    std::optional<raft::LeaderCommit> commit;  // for the core
    std::optional<Target> rejected;  // whom to ask no more: it is not the leader of that term
  };
  Answered on_reply(PeerConnection& peer, const codec::ForwardReply& reply);
  // This entry is applied: what the log says about what was proposed at its index.
  void on_applied(Index index, Term term, std::string_view reply);
  // A connection is gone. The fate of what its leader has not named an index for is unknown.
  void lose(LinkId link);

 private:
  struct Sent {
    RequestId request{};
    Term term{};
    Index index{};  // 0: not known to be proposed
    std::uint64_t bytes = 0;
    std::uint64_t sent_us = 0;
  };
  struct Link {
    std::uint64_t credit = first_credit;
    std::uint64_t bytes = 0;        // of what was sent and is not decided
    std::uint64_t decision_us = 0;  // about what one takes from being sent on
    std::uint64_t looked_us = 0;
    std::map<std::uint64_t, Sent> sent;  // by number
  };
  struct Proposed {
    Term term{};
    RequestId request{};
    LinkId link = LinkId::none;
    std::uint64_t number = 0;
  };

  static std::uint64_t limit(const Link& link);
  bool is_in_time(const Link& link, std::uint64_t deadline_us) const;
  void on_proposed(LinkId link, const codec::ForwardReply& reply);
  void note_proposed(LinkId link, std::uint64_t number, Sent& sent, Index index);
  // Its result will never be known here.
  void finish_unknown(RequestId request, std::string_view text);
  void finish_replaced(RequestId request);
  void count_decided(Link& link, const Sent& sent);
  // No more is known, or asked, of it.
  void remove(LinkId link, std::uint64_t number);
  void forget(const Proposed& forward);
  void remove_proposed(Index index, LinkId link, std::uint64_t number);
  // Nobody waits for these any more. They have left this node, and where they have not arrived, they
  // were lost on the way.
  void write_off_abandoned(Link& link);

  const Options& options_;
  const Persister& persister_;
  PeerConnections& connections_;
  ClientQueues& clients_;
  std::map<LinkId, Link> links_;
  std::multimap<Index, Proposed> proposed_;
  Index applied_{};
  Term applied_term_{};
};

}  // namespace zatt::node
