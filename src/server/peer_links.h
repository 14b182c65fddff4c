// SPDX-License-Identifier: AGPL-3.0-or-later
// All connections to other nodes: those they made, and those we keep making.
//
// Links end at any moment, also from within the node's own calls; a link is therefore only marked,
// and removed in reap(), between the events of a turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "node/env.h"
#include "server/dialer.h"
#include "server/lingering_close.h"
#include "server/link.h"
#include "server/log_function.h"
#include "server/peer_sink.h"
#include "server/transport.h"

namespace zatt::server {

class PeerLinks {
 public:
  // `lingering_close` and `sink` are borrowed.
  PeerLinks(loop::Loop& loop, LingeringClose& lingering_close, std::uint64_t seed, PeerSink& sink,
            LogFunction log, const LinkLimits& limits = {});

  // A peer has called; `first` is what it said after the magic, in plain text.
  void add(Transport transport, std::string_view first);

  // As node::Env says. dial() takes effect in the next reap().
  void dial(std::vector<node::PeerAddress> peers) { wanted_ = std::move(peers); }
  void send(node::LinkId link, node::Priority priority, std::string frame);
  std::size_t unsent_bytes(node::LinkId link) const;
  void close(node::LinkId link);

  void reap();   // tells of the links that have ended, and removes them
  void flush();  // hands on what was sent
  bool has_work() const { return !over_.empty() || wanted_.has_value(); }

  std::size_t size() const { return links_.size(); }

 private:
  struct Entry {
    std::optional<std::string> dialed;
    std::unique_ptr<Link> link;
    bool dirty = false;
  };
  // Makes a link of a connection, to the peer that was dialed if one was, and tells of it.
  void begin(Transport transport, Link::Side side, std::optional<std::string> dialed,
             std::string_view first);
  // Tells of the end of a link, if it is still there, and dials again.
  void remove(node::LinkId id);
  // Dials those of dial() who are not dialed yet, and no longer those who are not named.
  void update_dialers();

  loop::Loop& loop_;
  LingeringClose& lingering_close_;
  Prng prng_;
  PeerSink& sink_;
  const LogFunction log_;
  const LinkLimits limits_;
  node::LinkId last_id_{};
  std::map<node::LinkId, Entry> links_;
  std::map<std::string, Dialer> dialers_;
  std::optional<std::vector<node::PeerAddress>> wanted_;
  std::vector<node::LinkId> dirty_;
  std::vector<node::LinkId> over_;
};

}  // namespace zatt::server
