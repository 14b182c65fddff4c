// SPDX-License-Identifier: AGPL-3.0-or-later
// What reaches the node from its peers and clients: nothing before it serves, nor once it has given
// up. Otherwise as node/node.h says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "node/node.h"
#include "server/peer_sink.h"

namespace zatt::server {

class NodeInput final : public PeerSink {
 public:
  void begin(node::Node& node) { node_ = &node; }
  void end() { node_ = nullptr; }
  bool is_serving() const { return node_ != nullptr; }

  void on_client_open(node::ClientId id) {
    if (node_ != nullptr) node_->on_client_open(id);
  }
  void on_request(node::ClientId id, codec::Request request) {
    if (node_ != nullptr) node_->on_request(id, std::move(request));
  }
  void on_client_end(node::ClientId id) {
    if (node_ != nullptr) node_->on_client_end(id);
  }
  void on_client_room(node::ClientId id) {
    if (node_ != nullptr) node_->on_client_room(id);
  }
  void on_client_closed(node::ClientId id) {
    if (node_ != nullptr) node_->on_client_closed(id);
  }

  void on_link_up(node::LinkId link, std::optional<std::string> dialed) override {
    if (node_ != nullptr) node_->on_link_up(link, std::move(dialed));
  }
  void on_frame(node::LinkId link, std::string_view frame) override {
    if (node_ != nullptr) node_->on_frame(link, frame);
  }
  void on_link_down(node::LinkId link, std::string_view why) override {
    if (node_ != nullptr) node_->on_link_down(link, why);
  }
  void on_dial_failed(const std::string& id, std::string_view why) override {
    if (node_ != nullptr) node_->on_dial_failed(id, why);
  }

 private:
  node::Node* node_ = nullptr;  // while it serves
};

}  // namespace zatt::server
