// SPDX-License-Identifier: AGPL-3.0-or-later
// Who hears what peers do: the node's own on_link_up and so on, as node/node.h says.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "node/env.h"

namespace zatt::server {

class PeerSink {
 public:
  PeerSink() = default;
  PeerSink(const PeerSink&) = delete;
  PeerSink& operator=(const PeerSink&) = delete;
  virtual ~PeerSink() = default;

  // As node::Node says of each.
  virtual void on_link_up(node::LinkId link, std::optional<std::string> dialed) = 0;
  virtual void on_frame(node::LinkId link, std::string_view frame) = 0;
  virtual void on_link_down(node::LinkId link, std::string_view why) = 0;
  virtual void on_dial_failed(const std::string& id, std::string_view why) = 0;
};

}  // namespace zatt::server
