// SPDX-License-Identifier: AGPL-3.0-or-later
// All connections to other nodes: those they made, and those we keep making.
//
// Links end at any moment, also from within the node's own calls; a link is therefore only marked,
// and let go in sweep(), between the events of a turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

namespace zatt::server {

class PeerLinks {
 public:
  struct Events {
    std::function<void(node::LinkId link, std::optional<std::string> dialed)> on_up;
    std::function<void(node::LinkId link, std::string_view frame)> on_frame;
    std::function<void(node::LinkId link, std::string_view why)> on_down;
    std::function<void(const std::string& id, std::string_view why)> on_dial_failed;
    std::function<void(node::LogLevel level, std::string_view line)> log;
  };

  PeerLinks(loop::Loop& loop, LingeringClose& lingering_close, std::uint64_t seed, Events events);

  // A peer has called; `first` is what it said behind the magic.
  void add(loop::Stream stream, std::string_view first);

  // As node::Env says. dial() takes effect in the next sweep().
  void dial(std::vector<node::PeerAddress> peers) { wanted_ = std::move(peers); }
  void send(node::LinkId link, node::Priority priority, std::string frame);
  void close(node::LinkId link);

  void reap();   // tells of the links that have ended, and lets them go
  void flush();  // hands on what was sent
  bool has_work() const { return !over_.empty() || wanted_.has_value(); }

  std::size_t size() const { return links_.size(); }

 private:
  struct Entry {
    std::optional<std::string> dialed;
    std::unique_ptr<Link> link;
    bool dirty = false;
  };
  Link::Events link_events(node::LinkId id);
  void on_connected(const std::string& id, loop::Stream stream);
  void remove(node::LinkId id);
  void update_dialers();

  loop::Loop& loop_;
  LingeringClose& lingering_close_;
  Prng prng_;
  Events events_;
  node::LinkId last_id_ = 0;
  std::map<node::LinkId, Entry> links_;
  std::map<std::string, Dialer> dialers_;
  std::optional<std::vector<node::PeerAddress>> wanted_;
  std::vector<node::LinkId> dirty_;
  std::vector<node::LinkId> over_;
};

}  // namespace zatt::server
