// SPDX-License-Identifier: AGPL-3.0-or-later
// The connections to the other members: greeted, checked, numbered, one a peer.
//
// A connection is of use once both hellos were found good. Then its frames are cut and put together
// here, frames of other starts are dropped, and a new connection ends the older one to the same
// member, unread. An earlier connection whose hello is read only then is closed unread: what it
// carries was overtaken by what the newer one did.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instrumentation.h"
#include "codec/peer_frames.h"
#include "codec/peer_message.h"
#include "node/env.h"

namespace zatt::node {

struct PeerConnection {
  LinkId id = LinkId::none;
  std::optional<std::string> dialed;
  std::string why;  // it has ended, as far as that is known
  std::uint64_t up_us = 0;
  std::uint64_t last_contact_us = 0;  // a frame of its present process
  bool greeted = false;               // the peer's hello was good
  bool over = false;                  // closed by us: what still comes is not read
  MemberId server;
  BootId boot_id{};  // of the peer
  Address address;
  codec::BootstrapState bootstrap_state;
  codec::Assembler assembler;
  std::uint64_t messages_sent = 0;
  std::uint64_t last_bootstrap_state = 0;  // number of the message
  std::uint64_t last_number_sent = 0;      // of forwards and read requests
  std::uint64_t last_number_seen = 0;      // at or below: repeated or overtaken, dropped
};

// What the owner of the links knows and does.
class PeerConnectionsOwner {
 public:
  PeerConnectionsOwner() = default;
  PeerConnectionsOwner(const PeerConnectionsOwner&) = delete;
  PeerConnectionsOwner& operator=(const PeerConnectionsOwner&) = delete;
  virtual ~PeerConnectionsOwner() = default;

  virtual codec::Hello own_hello() = 0;
  virtual bool is_known_id(const std::string& id) const = 0;
  // Why this peer's hello can't be taken; nothing where it can.
  // `called`: by this node, at the address in its configuration.
  virtual std::optional<codec::Refused> validate(const codec::Hello& hello, bool called) = 0;
  virtual void on_peer_up(PeerConnection& link) = 0;
  virtual void on_peer_down(PeerConnection& link) = 0;
  virtual void on_peer_message(PeerConnection& link, const codec::PeerMessage& message) = 0;
  virtual void on_refused(const std::string& id, const codec::Refused& refused) = 0;
  // Whether the log is told by the owner when this member is refused or refuses.
  virtual bool says_refusals_of(const std::string& id) = 0;
};

// What was said within the last hour, and need not be said again.
class Said {
 public:
  explicit Said(std::size_t most) : most_(most) {}
  bool is_news(const std::string& text, std::uint64_t now_us);

 private:
  std::size_t most_;  // an hour: what comes beyond is no news
  std::map<std::string, std::uint64_t> at_us_;
};

class PeerConnections {
 public:
  PeerConnections(Env& env, PeerConnectionsOwner& owner, BootId boot_id,
                  Instrumentation* instrumentation)
      : env_(env), owner_(owner), boot_id_(boot_id), instrumentation_(instrumentation) {}

  void on_link_up(LinkId id, std::optional<std::string> dialed);
  void on_frame(LinkId id, std::string_view frame);
  void on_link_down(LinkId id, std::string_view why);

  // The greeted link to a member; null where there is none.
  PeerConnection* find(const MemberId& server) const;
  PeerConnection* find_id(std::string_view id) const;
  PeerConnection* find_link(LinkId id) const;  // greeted and in use
  const std::map<std::string, LinkId>& by_id() const { return by_id_; }

  template <class M>
  void send(PeerConnection& link, Priority priority, const M& message) {
    std::string bytes;
    codec::encode(message, bytes);
    send_bytes(link, priority, bytes);
  }
  // As Env says.
  std::uint64_t unsent_bytes(LinkId link) const { return env_.unsent_bytes(link); }
  std::uint64_t now_us() const { return env_.now_us(); }
  void close(PeerConnection& link);
  // The same, with a line of the log: what it did is no member's way.
  void close_for(PeerConnection& link, const std::string& what);
  // Ends connections over which no good hello came in `patience_us`. True where some still wait.
  bool close_silent(std::uint64_t patience_us);

 private:
  void send_bytes(PeerConnection& link, Priority priority, std::string_view message);
  void on_hello(PeerConnection& link, const codec::Hello& hello, BootId from_boot_id);
  std::optional<codec::Refused> check(const PeerConnection& link, const codec::Hello& hello,
                                      BootId from_boot_id);
  bool is_of_another_start(const PeerConnection& link, const codec::Frame& frame) const;
  bool is_overtaken(const PeerConnection& link, const MemberId& server, BootId boot_id) const;
  void refuse(PeerConnection& link, const std::string& id, const codec::Refused& refused);
  void log_once(const std::string& text);

  Env& env_;
  PeerConnectionsOwner& owner_;
  BootId boot_id_;
  Instrumentation* instrumentation_;
  std::map<LinkId, std::unique_ptr<PeerConnection>> links_;
  std::map<std::string, LinkId> by_id_;  // greeted links, by the peer's id
  struct Newest {  // of a peer's process: the connection greeted last, ended or not
    MemberId server;
    BootId boot_id{};
    LinkId link = LinkId::none;
  };
  std::map<std::string, Newest> newest_;  // by the peer's id
  Said of_members_{64};
  Said of_strangers_{16};
};

}  // namespace zatt::node
